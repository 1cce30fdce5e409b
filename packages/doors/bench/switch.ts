import { run } from "@switchyard/base";
import { createNamespaces, deleteNamespaces } from "@switchyard/linux";
import { temporaryFolder } from "@switchyard/testing";
import {
  SWITCH_SCHEMA,
  startDatabaseServer,
  startVswitchd,
  stopDatabaseServer,
  stopVswitchd,
} from "@switchyard/vswitch";
import type { SwitchPlace } from "../src/ovs/mod.ts";

/** A userspace switch for measuring, in a namespace of its own. */
export interface BenchSwitch extends AsyncDisposable {
  readonly namespace: string;
  readonly runDir: string;
  readonly place: SwitchPlace;
  vsctl(...argv: readonly string[]): Promise<string>;
}

export async function benchSwitch(): Promise<BenchSwitch> {
  await using stack = new AsyncDisposableStack();
  const { path: runDir } = stack.use(await temporaryFolder("sybench-"));
  const namespace = `sybench-ovs-${process.pid}`;
  const socket = `${runDir}/db.sock`;
  stack.defer(() => void deleteNamespaces([namespace]));
  createNamespaces([namespace]);
  stack.defer(() => stopDatabaseServer(runDir));
  await startDatabaseServer({ socket, runDir, databases: [{ file: `${runDir}/conf.db`, schema: SWITCH_SCHEMA }] });
  stack.defer(() => stopVswitchd(runDir));
  await startVswitchd({ namespace, runDir, database: socket, tso: true });
  const owned = stack.move();
  return {
    namespace,
    runDir,
    place: { remote: `unix:${socket}`, namespace: { name: namespace }, title: "the bench's switch", start: "" },
    vsctl: (...argv) => run(["ovs-vsctl", `--db=unix:${socket}`, "--timeout=20", ...argv]),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
