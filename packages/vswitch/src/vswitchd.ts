import { existsSync, statSync } from "node:fs";
import { uptime } from "node:os";
import { delay, YardError } from "@switchyard/base";
import { applyLinks, type ProcessId, viewNamespace, watchExit } from "@switchyard/linux";
import {
  alone,
  begunDaemon,
  complaint,
  controlSocket,
  daemonsIn,
  daemonsOf,
  ended,
  findProgram,
  kill,
  launch,
  removeRuntimeFiles,
  runningDaemon,
} from "./daemon.ts";
import { openSwitch } from "./open.ts";
import { renewSwitchSocket } from "./server.ts";
import { freeUnderlays } from "./underlay.ts";
import { unixctl } from "./unixctl.ts";

export interface VswitchdOptions {
  /** The name in /run/netns of the namespace it works in; undefined: ours. */
  readonly namespace: string | undefined;
  /** For its pid file, control socket, management sockets and log: `OVS_RUNDIR` of the ovs-* tools. */
  readonly runDir: string;
  /** The unix socket of the database server. */
  readonly database: string;
  /** Whether a userspace datapath keeps TCP's large segments whole (ten times faster, and TCP over veth works). */
  readonly tso: boolean;
  readonly signal?: AbortSignal;
  /** Milliseconds; 20,000 by default. */
  readonly timeout?: number;
}

/**
 * An `ovs-vswitchd` in that namespace: the one that runs already in `runDir`, or a new one. It has taken the whole
 * configuration when this resolves, and outlives us. One that runs in another namespace (its own was deleted and
 * made anew) is replaced. `tso` takes effect on a start only.
 *
 * @throws YardError `switch.not-installed`, `switch.no-namespace`, `switch.namespace-in-use`, `switch.start-failed`, `switch.not-answering`
 */
export function startVswitchd(options: VswitchdOptions): Promise<ProcessId> {
  return alone(options.runDir, "ovs-vswitchd", options, () => start(options));
}

async function start(options: VswitchdOptions): Promise<ProcessId> {
  const { namespace, runDir, database } = options;
  const running = await begunDaemon(runDir, "ovs-vswitchd", options);
  if (running !== undefined) {
    if (isIn(running, namespace)) {
      await answers(runDir, running, options);
      return running;
    }
    await stopVswitchd(runDir);
  }
  findProgram("ovs-vswitchd");
  const before = namespace === undefined ? [] : [findProgram("nsenter"), `--net=${namespacePath(namespace)}`, "--"];
  if (namespace !== undefined) refuseSecond(namespace);
  await initialize(options);
  await processorsCounted(options.signal);
  const socket = (await renewSwitchSocket(runDir, options)) ?? database;
  const started = await launch("ovs-vswitchd", runDir, [`unix:${socket}`], { ...options, before });
  if ("pid" in started) return started;
  const said = complaint(started, "ovs-vswitchd");
  throw new YardError("switch.start-failed", `ovs-vswitchd did not start: ${said}`, {
    where: `${runDir}/ovs-vswitchd.log`,
  });
}

/**
 * Ends the switch that runs in `runDir`, if one does, with its datapath and the devices it made, and removes its
 * files. A userspace datapath is the process, so that is killed; a kernel one is asked to go.
 */
export async function stopVswitchd(runDir: string): Promise<void> {
  const id = runningDaemon(runDir, "ovs-vswitchd");
  if (id !== undefined) {
    const socket = controlSocket(runDir, "ovs-vswitchd", id.pid);
    const kernel = await unixctl(socket, "dpif/show", [], { timeout: 2_000 }).then(
      (text) => /^system@/m.test(text),
      () => false,
    );
    if (kernel) {
      // Its answer may be cut off by its end, or come before it.
      freeUnderlays({ pid: id.pid });
      await unixctl(socket, "exit", ["--cleanup"], { timeout: 10_000 }).catch(() => {});
      await ended(id, 10_000);
    }
  }
  await Promise.all(daemonsOf(runDir, "ovs-vswitchd").map(kill));
  removeRuntimeFiles(runDir, "ovs-vswitchd");
}

/**
 * Whether a switch runs in `runDir`. One that was killed does not, though the kernel may yet be closing its ports and so
 * not tell its end.
 */
export function vswitchdRuns(runDir: string): boolean {
  return runningDaemon(runDir, "ovs-vswitchd") !== undefined;
}

/**
 * Calls `listener` once when the switch has died and what it left in `runDir` is removed. The kernel tells a process's
 * end only after all its files are closed, which takes a switch that was killed some 18 ms for each of its ports.
 *
 * @throws as linux's watchExit
 */
export function watchVswitchd(runDir: string, id: ProcessId, listener: () => void): Disposable {
  return watchExit(id, () => {
    if (runningDaemon(runDir, "ovs-vswitchd") === undefined) removeRuntimeFiles(runDir, "ovs-vswitchd");
    listener();
  });
}

/** Seconds after the kernel's start in which ovs-vswitchd 3.1 has not counted the processors (lib/ovs-thread.c). */
const UNCOUNTED = 10;

/**
 * Resolves when a switch can be started on the kernel's datapath. One that counts no processors starts no threads to
 * handle packets there, and some never get any when it does. Nothing tells of it; a userspace datapath does not count.
 */
async function processorsCounted(signal: AbortSignal | undefined): Promise<void> {
  const left = existsSync("/sys/module/openvswitch") ? UNCOUNTED - uptime() : 0;
  if (left > 0) await delay(left * 1000 + 50, signal);
}

/** What ovs-vsctl's `init` does, and what must be set before a start. */
async function initialize({ database, tso, namespace, signal, timeout }: VswitchdOptions): Promise<void> {
  const limits = { ...(signal === undefined ? {} : { signal }), ...(timeout === undefined ? {} : { timeout }) };
  await using db = await openSwitch(`unix:${database}`, limits);
  await db.transact((tx) => {
    const [root] = tx.filter("Open_vSwitch", () => true);
    const value = String(tso);
    if (root === undefined) tx.insert("Open_vSwitch", { other_config: { [TSO]: value } });
    else if (root.other_config.get(TSO) !== value)
      tx.mutate("Open_vSwitch", root._uuid, { other_config: { delete: [TSO], insert: { [TSO]: value } } });
  }, limits);
  if (namespace === undefined) return;
  // A predecessor that was killed may hold its devices for seconds yet, while the kernel closes its other files.
  const internal = db.table("Interface").filter((row) => row.type === "internal");
  const names = new Set(["ovs-netdev", ...internal.map((row) => row.name)]);
  const ops = [...viewNamespace({ name: namespace }).links.values()]
    .filter((link) => link.kind === "tun" && names.has(link.name))
    .map((link) => ({ op: "delete", name: link.name }) as const);
  if (ops.length > 0) applyLinks([{ namespace: { name: namespace }, ops }]);
}

const TSO = "userspace-tso-enable";

async function answers(runDir: string, id: ProcessId, { signal, timeout }: VswitchdOptions): Promise<void> {
  await unixctl(controlSocket(runDir, "ovs-vswitchd", id.pid), "version", [], {
    ...(signal === undefined ? {} : { signal }),
    timeout: timeout ?? 5_000,
  });
}

/** Two switches in one namespace would fight for the device of the userspace datapath. */
function refuseSecond(namespace: string): void {
  const [other] = daemonsIn(statSync(namespacePath(namespace)).ino, "ovs-vswitchd");
  if (other !== undefined)
    throw new YardError(
      "switch.namespace-in-use",
      `another ovs-vswitchd (process ${other.pid}) works in ${namespace}`,
      {
        hint: `end it first: kill ${other.pid}`,
      },
    );
}

function isIn(id: ProcessId, namespace: string | undefined): boolean {
  try {
    const wanted = statSync(namespace === undefined ? "/proc/self/ns/net" : namespacePath(namespace));
    return statSync(`/proc/${id.pid}/ns/net`).ino === wanted.ino;
  } catch {
    return false;
  }
}

function namespacePath(namespace: string): string {
  const path = `/run/netns/${namespace}`;
  try {
    statSync(path);
  } catch (cause) {
    throw new YardError("switch.no-namespace", `there is no network namespace ${namespace}`, { cause });
  }
  return path;
}
