import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { backoff, delay, tryRun } from "@switchyard/base";
import { processes } from "./mark.ts";
import { mountPoints } from "./mounts.ts";

/** What Switchyard could leave on a machine, by kind; each entry names one thing. */
export interface Machine {
  /** Interfaces of this network namespace. */
  readonly links: ReadonlySet<string>;
  /** `/run/netns`, and namespaces held only by a process. */
  readonly namespaces: ReadonlySet<string>;
  readonly mounts: ReadonlySet<string>;
  /** `<pid>@<start> <command line>`. */
  readonly processes: ReadonlySet<string>;
  /** Entries of the folders where state lives, and of `/tmp`. */
  readonly files: ReadonlySet<string>;
  readonly cgroups: ReadonlySet<string>;
  readonly nftTables: ReadonlySet<string>;
  /** Bridges, ports and interfaces of the host's switch, where it runs one. */
  readonly switchRows: ReadonlySet<string>;
}

/** How two looks at the machine are compared. */
export interface CompareOptions {
  /**
   * Only things whose entry matches are compared: for tests that run beside others on one machine. Without it all
   * are, but of processes and of `/tmp` only those that look like ours.
   */
  readonly ours?: RegExp;
  /** Milliseconds that the kernel and engines may take to finish what was begun; 3,000 by default. */
  readonly timeout?: number;
}

/** A thing that is there and was not, or the other way round. */
export interface Difference {
  readonly kind: keyof Machine;
  readonly what: "left behind" | "gone";
  readonly entry: string;
}

/** Folders whose entries count, with how deep to look. */
const stateFolders: readonly (readonly [string, number])[] = [
  ["/run/switchyard", 4],
  ["/var/lib/switchyard", 4],
  ["/etc/netns", 2],
  ["/run/containers", 1],
  ["/run/libpod", 1],
  ["/run/openvswitch", 1],
  ["/run/runc", 1],
  ["/tmp", 1],
];

/** What a process or an entry of `/tmp` of ours looks like when the caller does not say. */
const likeOurs =
  /\b(ovsdb-server|ovs-vswitchd|dockerd|containerd|containerd-shim|conmon|podman|dnsmasq|iperf3|httpd|udhcpc|switchyard|yard)\b|\/tmp\/(t[a-z]+|sy|switchyard|yard)[-_.]/;

/** Looks at the machine once. */
export async function snapshotMachine(): Promise<Machine> {
  return {
    // The file of the module for bonds is no link.
    links: new Set(list("/sys/class/net").filter((name) => name !== "bonding_masters")),
    namespaces: new Set(list("/run/netns")),
    // `ip netns` makes its folder a mount point of its own on first use, and it stays one.
    mounts: new Set(mountPoints().filter((point) => point !== "/run/netns")),
    processes: new Set(
      processes().map(({ pid, startTime, command }) => `${pid}@${startTime} ${command.slice(0, 200)}`),
    ),
    files: new Set(stateFolders.flatMap(([folder, depth]) => entriesBelow(folder, depth))),
    cgroups: new Set(
      list("/sys/fs/cgroup")
        .flatMap((name) => foldersBelow(`/sys/fs/cgroup/${name}`, 2))
        .filter(notEnginesOwn)
        .filter(isEmptyGroup),
    ),
    nftTables: new Set(await nftTables()),
    switchRows: new Set(await switchRows()),
  };
}

/**
 * Whether the machine is as it was.
 *
 * @throws Error that lists every difference, once they have outlasted `timeout`
 */
export async function expectSameMachine(before: Machine, options: CompareOptions = {}): Promise<void> {
  const different = await waitForSame(before, options);
  if (different.length === 0) return;
  const lines = different.map(({ kind, what, entry }) => `  ${kind}: ${entry} (${what})`);
  throw new Error(`the machine is not as it was:\n${lines.join("\n")}`);
}

/**
 * The differences that remain after `timeout`. The kernel takes namespaces down in the background and an engine's
 * shim ends after its container, none of it announced for all kinds at once: hence this one poll with back-off.
 */
export async function waitForSame(before: Machine, options: CompareOptions = {}): Promise<Difference[]> {
  const end = Date.now() + (options.timeout ?? 3_000);
  for (const wait of backoff(20, 400)) {
    const different = differences(before, await snapshotMachine(), options.ours);
    if (different.length === 0 || Date.now() >= end) return different;
    await delay(wait);
  }
  return [];
}

/** What two looks at a machine differ by. Pure. */
export function differences(before: Machine, after: Machine, ours?: RegExp): Difference[] {
  const kinds = Object.keys(before) as (keyof Machine)[];
  return kinds.flatMap((kind) => {
    const counts = (entry: string) =>
      ours !== undefined
        ? ours.test(entry)
        : (kind !== "processes" && !entry.startsWith("/tmp/")) || likeOurs.test(entry);
    const left = [...after[kind]].filter((entry) => !before[kind].has(entry) && counts(entry));
    // A process that was there before and ended, or a file of another's, is no doing of ours that harms.
    const lasting = kind !== "processes" && kind !== "files" && kind !== "cgroups";
    const gone = lasting ? [...before[kind]].filter((entry) => !after[kind].has(entry) && counts(entry)) : [];
    return [
      ...left.map((entry) => ({ kind, what: "left behind" as const, entry })),
      ...gone.map((entry) => ({ kind, what: "gone" as const, entry })),
    ];
  });
}

async function nftTables(): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  const result = await tryRun(["nft", "list", "tables"]).catch(() => undefined);
  return result?.code === 0 ? result.stdout.split("\n").filter((line) => line !== "") : [];
}

async function switchRows(): Promise<string[]> {
  if (!existsSync("/run/openvswitch/db.sock")) return [];
  const columns = ["Bridge", "Port", "Interface"].map((table) =>
    tryRun(["ovs-vsctl", "--timeout=2", "--bare", "--columns=name", "list", table]),
  );
  const results = await Promise.all(columns.map((column) => column.catch(() => undefined)));
  return results.flatMap((result) =>
    result?.code === 0 ? result.stdout.split("\n").filter((name) => name !== "") : [],
  );
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function entriesBelow(folder: string, depth: number): string[] {
  return list(folder).flatMap((name) => {
    const path = `${folder}/${name}`;
    return depth > 1 && !isLink(path) ? [path, ...entriesBelow(path, depth - 1)] : [path];
  });
}

/** The empty parents that podman and docker make once and keep; a container's group below them counts. */
function notEnginesOwn(cgroup: string): boolean {
  return !/\/(libpod_parent(\/conmon)?|docker)$/.test(cgroup);
}

/** Processes that stay are told of as such; those in another's group are none of ours. */
function isEmptyGroup(cgroup: string): boolean {
  try {
    return readFileSync(`${cgroup}/cgroup.procs`, "utf8") === "";
  } catch {
    return true;
  }
}

function foldersBelow(folder: string, depth: number): string[] {
  if (depth === 0) return [];
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => [`${folder}/${name}`, ...foldersBelow(`${folder}/${name}`, depth - 1)]);
  } catch {
    return [];
  }
}

function isLink(path: string): boolean {
  try {
    readlinkSync(path);
    return true;
  } catch {
    return false;
  }
}
