/** A switch of a test's own, with its place for the `ovs` commands; all gone in the end. */
import { existsSync } from "node:fs";
import { run, tryRun } from "@switchyard/base";
import { applyLinks, createNamespaces, deleteNamespaces, type LinkOp } from "@switchyard/linux";
import { patience, temporaryFolder } from "@switchyard/testing";
import {
  openWholeSwitch,
  SWITCH_SCHEMA,
  type Switch,
  startDatabaseServer,
  startVswitchd,
  stopDatabaseServer,
  stopVswitchd,
} from "@switchyard/vswitch";
import { callOvs, type SwitchPlace } from "../src/ovs/mod.ts";

/** The best that this machine has: the kernel's, where it is loaded. */
export const DATAPATH = existsSync("/sys/module/openvswitch") ? "system" : "netdev";
let made = 0;

export interface TestSwitch extends AsyncDisposable {
  readonly namespace: string;
  readonly runDir: string;
  readonly place: SwitchPlace;
  readonly db: Switch;
  /** What commands warned of. */
  readonly warnings: string[];
  ovs(command: string, input?: unknown): Promise<unknown>;
  /** The names of bridges, each with its ports, sorted. */
  ports(): Record<string, string[]>;
  /** Every row's name, to see that nothing was left behind. */
  names(): string[];
  /** Namespaces of hosts with `eth0` at that address; the other end has the host's name, in the switch's namespace. */
  hosts(addresses: Readonly<Record<string, string>>): Promise<Record<string, string>>;
  vsctl(...argv: readonly string[]): Promise<string>;
  /** Takes all bridges away, at once. */
  clear(): Promise<void>;
  ip(...argv: readonly string[]): Promise<string>;
}

export function ownName(suffix = ""): string {
  return `tdoors_${process.pid}_${made++}${suffix}`;
}

export async function testSwitch(
  options: { readonly tso?: boolean; readonly vswitchd?: boolean } = {},
): Promise<TestSwitch> {
  await using stack = new AsyncDisposableStack();
  const { path: runDir } = stack.use(await temporaryFolder("tdoors-"));
  const socket = `${runDir}/db.sock`;
  const namespace = ownName();
  const spaces = [namespace];
  stack.defer(() => void deleteNamespaces(spaces));
  createNamespaces([namespace]);
  stack.defer(() => stopDatabaseServer(runDir));
  await startDatabaseServer({ socket, runDir, databases: [{ file: `${runDir}/conf.db`, schema: SWITCH_SCHEMA }] });
  stack.defer(() => stopVswitchd(runDir));
  if (options.vswitchd !== false)
    await startVswitchd({ namespace, runDir, database: socket, tso: options.tso ?? true });
  const db = stack.use(await openWholeSwitch(`unix:${socket}`));
  const place: SwitchPlace = {
    remote: `unix:${socket}`,
    namespace: { name: namespace },
    title: "the test's switch",
    start: "bun test",
  };
  const warnings: string[] = [];
  const owned = stack.move();
  return {
    namespace,
    runDir,
    place,
    db,
    warnings,
    async ovs(command, input) {
      try {
        return await callOvs(place, command, input, { warn: (line) => void warnings.push(line) });
      } finally {
        await caughtUp(db);
      }
    },
    ports: () =>
      Object.fromEntries(
        [...db.table("Bridge")].map((bridge) => [
          bridge.name,
          [...bridge.ports]
            .flatMap((uuid) => db.table("Port").get(uuid)?.name ?? [])
            .filter((name) => name !== bridge.name)
            .sort(),
        ]),
      ),
    names: () =>
      (["Bridge", "Port", "Interface"] as const)
        .flatMap((table) => [...db.table(table)].map(({ name }) => `${table} ${name}`))
        .sort(),
    async hosts(addresses) {
      const nodes = Object.fromEntries(Object.keys(addresses).map((name) => [name, ownName(`_${name}`)]));
      spaces.push(...Object.values(nodes));
      createNamespaces(Object.values(nodes));
      const ops: LinkOp[] = Object.entries(nodes).flatMap(([name, node]) => [
        { op: "veth", name, peer: { name: "eth0", namespace: { name: node }, up: true } },
        { op: "set", name, up: true },
      ]);
      const failures = applyLinks([{ namespace: { name: namespace }, ops }]);
      if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join(", "));
      for (const [name, node] of Object.entries(nodes))
        await run(["ip", "-n", node, "address", "add", addresses[name] ?? "", "dev", "eth0"]);
      return nodes;
    },
    vsctl: (...argv) => run(["ovs-vsctl", `--db=unix:${socket}`, `--timeout=${patience(10)}`, ...argv]),
    async clear() {
      const names = [...db.table("Bridge")].flatMap(({ name }) => ["--", "--if-exists", "del-br", name]);
      if (names.length > 0) await run(["ovs-vsctl", `--db=unix:${socket}`, `--timeout=${patience(10)}`, ...names]);
    },
    ip: (...argv) => run(["ip", "-n", namespace, ...argv]),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Resolves when the replica has what others have committed by now: every change raises next_cfg. */
export async function caughtUp(db: Switch): Promise<void> {
  const [answer] = await db.execute([{ op: "select", table: "Open_vSwitch", where: [], columns: ["next_cfg"] }]);
  const next = Number(/"next_cfg":(\d+)/.exec(JSON.stringify(answer))?.[1] ?? 0);
  await db.waitFor(() => Number(db.table("Open_vSwitch").single()?.next_cfg ?? 0) >= next, {
    timeout: patience(5_000),
  });
}

/** Whether one ping gets an answer. */
export async function pings(from: string, to: string): Promise<boolean> {
  try {
    await run(["ip", "netns", "exec", from, "ping", "-c1", "-W1", "-i0.2", to]);
    return true;
  } catch {
    return false;
  }
}

/** Serves iperf3 so many times in a namespace, by its file; resolves after the last. */
export async function serveIperf(netns: string, times: number): Promise<void> {
  for (let time = 0; time < times; time++)
    await run(["nsenter", `--net=${netns}`, "timeout", "20", "iperf3", "-s", "-1"]);
}

/** What TCP carries in a second to a server of iperf3, which may not be there at once. @param from the namespace's file */
export async function megabits(from: string, to: string, ...more: readonly string[]): Promise<number> {
  const argv = ["nsenter", `--net=${from}`, "iperf3", "-c", to, "-t", "1", "--json", ...more] as const;
  for (let tries = 0; ; tries++) {
    const { stdout } = await tryRun(argv);
    const received = JSON.parse(stdout).end?.sum_received?.bits_per_second;
    if (typeof received === "number") return received / 1e6;
    if (tries === 20) throw new Error(stdout);
    await Bun.sleep(50);
  }
}
