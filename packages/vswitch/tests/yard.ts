/** A switch of a test's own: namespace, folder, database server and ovs-vswitchd, all gone in the end. */
import { existsSync } from "node:fs";
import { applyLinks, createNamespaces, deleteNamespaces, type LinkOp } from "@switchyard/linux";
import { temporaryFolder } from "@switchyard/testing";
import {
  openSwitch,
  PLAIN_PORT,
  type PortState,
  SWITCH_SCHEMA,
  type Switch,
  startDatabaseServer,
  startVswitchd,
  stopDatabaseServer,
  stopVswitchd,
} from "../src/mod.ts";

export const OWNER = "tvsw";

let made = 0;

export interface TestSwitch extends AsyncDisposable {
  readonly namespace: string;
  readonly runDir: string;
  readonly socket: string;
  readonly db: Switch;
  /** Namespaces of nodes, each with `eth0`; the other end is a device of the same name in the switch's namespace. */
  nodes(...names: readonly string[]): Promise<Map<string, string>>;
}

/** A name that no other test run has. */
export function ownName(suffix = ""): string {
  return `tvsw_${process.pid}_${made++}${suffix}`;
}

export async function testSwitch(options: { readonly vswitchd?: boolean } = {}): Promise<TestSwitch> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder("tvsw-"));
  const runDir = folder.path;
  const socket = `${runDir}/db.sock`;
  const namespace = ownName();
  const spaces = [namespace];
  stack.defer(() => void deleteNamespaces(spaces));
  createNamespaces([namespace]);
  stack.defer(() => stopDatabaseServer(runDir));
  await startDatabaseServer({ socket, runDir, databases: [{ file: `${runDir}/conf.db`, schema: SWITCH_SCHEMA }] });
  stack.defer(() => stopVswitchd(runDir));
  if (options.vswitchd !== false) await startVswitchd({ namespace, runDir, database: socket, tso: true });
  const db = stack.use(await openSwitch(`unix:${socket}`));
  const owned = stack.move();
  return {
    namespace,
    runDir,
    socket,
    db,
    async nodes(...names) {
      const nodes = new Map(names.map((name) => [name, ownName(`_${name}`)]));
      spaces.push(...nodes.values());
      createNamespaces([...nodes.values()]);
      const ops: LinkOp[] = [...nodes].flatMap(([name, node]) => [
        { op: "veth", name, peer: { name: "eth0", namespace: { name: node } } },
        { op: "set", name, up: true },
      ]);
      const failures = applyLinks([
        { namespace: { name: namespace }, ops },
        ...[...nodes.values()].map((node) => ({
          namespace: { name: node },
          ops: [{ op: "set", name: "eth0", up: true }] as const,
        })),
      ]);
      if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join(", "));
      return nodes;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export function port(bridge: string, more: Partial<PortState> = {}): PortState {
  return { ...PLAIN_PORT, bridge, purpose: "nic", ...more };
}

/** As a yard would choose: the kernel's, where it is loaded. */
export const DATAPATH = existsSync("/sys/module/openvswitch") ? "system" : "netdev";
export const LAN = { datapath: DATAPATH, otherConfig: {}, hub: false, purpose: "lan" } as const;
export const WIRE = {
  datapath: DATAPATH,
  otherConfig: { "forward-bpdu": "true" },
  hub: true,
  purpose: "link",
} as const;
