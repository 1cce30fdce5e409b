/** The switch in the container: the one that runs there, or one of the agent's own with DPDK. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { asYardError, backoff, delay, type Logger, run, YardError } from "@switchyard/base";
import { hugepages, type ProcessId, watchExit } from "@switchyard/linux";
import {
  findProgram,
  OWNER,
  openSwitch,
  SWITCH_SCHEMA,
  type Switch,
  startDatabaseServer,
  startVswitchd,
  stopDatabaseServer,
  stopVswitchd,
  vswitchdRuns,
} from "@switchyard/vswitch";

/** The mark of all that the agent in a container makes. */
export const CONTAINER_OWNER = "cni-agent";

export interface ContainerSwitchOptions {
  /** `unix:/var/run/openvswitch/db.sock` */
  readonly remote: string;
  /** Whether one is started where none runs; else it is waited for. With values of its other_config beside our own. */
  readonly start: false | Readonly<Record<string, string>>;
  /** Whether one of ours runs on when the agent ends. */
  readonly leave: boolean;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Called when one of ours has died and runs again. */
  readonly onRestart: () => void;
}

/** The open database. Disposing closes it, and ends the switch where that is the agent's own. */
export interface ContainerSwitch extends AsyncDisposable {
  readonly db: Switch;
  /** Whether it ends with the agent. */
  readonly ends: boolean;
}

/**
 * ovs-vswitchd.conf.db(5). The memory is in no file system, so that it is given back however the process ends, and in one
 * piece, as vhost-user hands over eight at most.
 */
const SETTINGS = {
  "dpdk-init": "true",
  "dpdk-socket-mem": "64",
  "dpdk-socket-limit": "128",
  "dpdk-extra": "--no-pci --in-memory --single-file-segments",
};
/** Milliseconds between attempts to start what has died: at first, and at most. */
const RETRY = [250, 10_000] as const;

/** @throws YardError `container.no-hugepages`, `container.no-dpdk`, `container.dpdk-failed`; those of vswitch's start; of ovsdb's openDatabase */
export async function openContainerSwitch(options: ContainerSwitchOptions): Promise<ContainerSwitch> {
  const { remote, start, leave, signal } = options;
  const socket = /^unix:(\/.+)$/.exec(remote)?.[1];
  const startable = start !== false && socket !== undefined;
  await using stack = new AsyncDisposableStack();
  // Half of one is of no use to anybody.
  let ends = startable && !vswitchdRuns(dirname(socket));
  stack.defer(async () => {
    if (ends && startable) await endOwn(socket);
  });
  if (ends && startable) await startOwn(socket, start, signal);
  const db = stack.use(await openSwitch(remote, { signal, timeout: 60_000 }));
  // An agent before us, which was killed, may have started it.
  const own = startable && db.table("Open_vSwitch").single()?.external_ids.get(OWNER) === CONTAINER_OWNER;
  ends = own && !leave;
  if (own) {
    const stop = new AbortController();
    const kept = keep(socket, start, AbortSignal.any([signal, stop.signal]), options);
    stack.defer(() => {
      stop.abort();
      return kept;
    });
  }
  const owned = stack.move();
  return { db, ends, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Starts what of it does not run. It bears our mark before it does anything. */
async function startOwn(
  socket: string,
  settings: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<readonly ProcessId[]> {
  const runDir = dirname(socket);
  if (!vswitchdRuns(runDir)) await refuseWithoutDpdk();
  const server = await startDatabaseServer({
    socket,
    runDir,
    databases: [{ file: databaseFile(runDir), schema: SWITCH_SCHEMA }],
    signal,
  });
  {
    await using db = await openSwitch(`unix:${socket}`, { signal });
    await db.transact(
      (tx) => {
        const root = tx.single("Open_vSwitch");
        const mark = { [OWNER]: CONTAINER_OWNER };
        const wanted = { ...SETTINGS, ...settings };
        if (root === undefined) tx.insert("Open_vSwitch", { other_config: wanted, external_ids: mark });
        else tx.mutate("Open_vSwitch", root._uuid, { other_config: { set: wanted }, external_ids: { set: mark } });
      },
      { signal },
    );
  }
  // Devices of DPDK's finish no packets that were left unfinished.
  const options = { namespace: undefined, runDir, database: socket, tso: false, signal };
  try {
    return [server, await startVswitchd(options)];
  } catch (error) {
    throw explained(error, runDir);
  }
}

/** What DPDK has said in the log of the last start: the process has been aborted, and says nothing itself. */
function explained(error: unknown, runDir: string): unknown {
  const where = join(runDir, "ovs-vswitchd.log");
  if (!(error instanceof YardError) || error.code !== "switch.start-failed" || !existsSync(where)) return error;
  const lines = readFileSync(where, "utf8").split("\n");
  const last = lines.slice(lines.findLastIndex((line) => line.endsWith(`|INFO|opened log file ${where}`)));
  const said = last.flatMap((line) => /\|dpdk\|(?:ERR|EMER)\|(?:EAL: )?(.*?)\.?$/.exec(line)?.[1] ?? []);
  if (said.length === 0) return error;
  return new YardError("container.dpdk-failed", `DPDK could not be initialized: ${said.join("; ")}`, {
    cause: error,
    where,
    hint: "it needs as many free hugepages as dpdk-socket-mem says, and in a container the capability SYS_NICE",
  });
}

/** Without either ovs-vswitchd would end with a word of EAL's, or run without DPDK. */
async function refuseWithoutDpdk(): Promise<void> {
  const version = await run([findProgram("ovs-vswitchd"), "--version"]);
  if (!version.includes("DPDK"))
    throw new YardError("container.no-dpdk", "the ovs-vswitchd that is installed has no DPDK", {
      hint: "update-alternatives --set ovs-vswitchd /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk",
    });
  if (!hugepages().some(({ free }) => free > 0))
    throw new YardError("container.no-hugepages", "the host has no free hugepages for the container's switch", {
      hint: "on the host: echo 512 > /proc/sys/vm/nr_hugepages",
    });
}

/** Starts again what dies of it, until `signal` aborts. */
async function keep(
  socket: string,
  settings: Readonly<Record<string, string>>,
  signal: AbortSignal,
  { log, onRestart }: ContainerSwitchOptions,
): Promise<void> {
  let retries = backoff(...RETRY);
  while (!signal.aborted) {
    try {
      const died = Promise.withResolvers<void>();
      using stack = new DisposableStack();
      for (const id of await startOwn(socket, settings, signal)) stack.use(watchExit(id, () => died.resolve()));
      onRestart();
      const ended = () => died.resolve();
      signal.addEventListener("abort", ended, { once: true });
      stack.defer(() => signal.removeEventListener("abort", ended));
      const since = performance.now();
      await died.promise;
      if (signal.aborted) return;
      log.warn("the switch has died, and is started again");
      if (performance.now() - since > RETRY[1]) retries = backoff(...RETRY);
    } catch (error) {
      if (signal.aborted) return;
      log.error({ error: asYardError(error).message }, "the switch could not be started");
    }
    await delay(retries.next().value, signal).catch(() => {});
  }
}

async function endOwn(socket: string): Promise<void> {
  const runDir = dirname(socket);
  await stopVswitchd(runDir);
  await stopDatabaseServer(runDir);
  const file = databaseFile(runDir);
  for (const path of [file, join(runDir, ".conf.db.~lock~"), socket]) rmSync(path, { force: true });
}

/** Beside the socket: it says nothing that is not handed over again. */
function databaseFile(runDir: string): string {
  return join(runDir, "conf.db");
}
