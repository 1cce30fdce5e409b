import { YardError } from "@switchyard/base";
import { endProcess, watchExit } from "@switchyard/linux";
import { machinePaths, type VmPaths } from "./paths.ts";
import { isRecord, QmpClient, type QmpPatience } from "./qmp.ts";
import { type Live, readRunning, writeReason } from "./record.ts";

/** Milliseconds that QEMU gets to write back what it has not yet written, once it is told to end. */
const QUIT_GRACE = 5_000;

/** Ends a machine: by its power button, and after `grace` milliseconds (0: at once) by ending QEMU. */
export async function stopMachine(paths: VmPaths, name: string, grace: number, signal?: AbortSignal): Promise<void> {
  const live = readRunning(paths, name);
  if (live === undefined) return;
  if (grace > 0) await powerDown(paths, name, live, grace, signal);
  if (readRunning(paths, name) === undefined) return;
  writeReason(paths, name, "host-signal");
  await endProcess(live.process, QUIT_GRACE);
}

/** Presses the power button, and waits. A machine that is paused has nobody who would notice. */
async function powerDown(
  paths: VmPaths,
  name: string,
  live: Live,
  grace: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const patience: QmpPatience = { timeout: grace, ...(signal === undefined ? {} : { signal }) };
  const ended = Promise.withResolvers<void>();
  using _exit = watchExit(live.process, () => ended.resolve());
  const timer = setTimeout(() => ended.resolve(), grace);
  const aborted = () => ended.reject(signal?.reason);
  ended.promise.catch(() => undefined);
  signal?.addEventListener("abort", aborted, { once: true });
  try {
    using qmp = await QmpClient.open(machinePaths(paths, name).control, patience);
    using _shutdown = qmp.onEvent(({ event, data }) => {
      if (event === "SHUTDOWN") writeReason(paths, name, String(data.reason ?? "unknown"));
    });
    const status = await qmp.execute("query-status", {}, patience);
    if (!isRecord(status) || status.running !== true) return;
    await qmp.execute("system_powerdown", {}, patience);
    await ended.promise;
  } catch (error) {
    signal?.throwIfAborted();
    // Who does not listen is switched off.
    if (!(error instanceof YardError)) throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
  }
}
