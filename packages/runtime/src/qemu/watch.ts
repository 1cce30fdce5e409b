import { existsSync, mkdirSync } from "node:fs";
import { type ProcessId, watchExit, watchFile, watchFolder } from "@switchyard/linux";
import { carries } from "../names.ts";
import { trimLog } from "./console.ts";
import { machinePaths, type VmPaths } from "./paths.ts";
import { QmpClient, type QmpEvent } from "./qmp.ts";
import { machineNames, readConfig, readReason, readRunning, writeReason } from "./record.ts";
import type { VmEvent } from "./types.ts";

/** Milliseconds that QEMU gets to greet; another watcher may have the connection, which is then the one that knows. */
const GREETING = 2_000;

/**
 * Reports what happens to machines. Starts and removals are files that appear and disappear; a pidfd tells of an exit
 * whatever its cause, and QEMU itself of what comes before.
 */
export function watchMachines(
  paths: VmPaths,
  labels: Readonly<Record<string, string>>,
  listener: (event: VmEvent) => void,
  signal: AbortSignal,
): void {
  if (signal.aborted) return;
  const watcher = new Watcher(paths, labels, listener);
  signal.addEventListener("abort", () => watcher[Symbol.dispose](), { once: true });
}

/** A life of a machine that is being watched. */
class Life implements Disposable {
  readonly process: ProcessId;
  readonly #stack = new DisposableStack();
  #over = false;

  constructor(process: ProcessId, paths: VmPaths, name: string, tell: (event: Omit<VmEvent, "name">) => void) {
    this.process = process;
    const machine = machinePaths(paths, name);
    this.#stack.use(watchExit(process, () => tell({ what: "exited" })));
    if (existsSync(machine.consoleLog))
      this.#stack.use(watchFile(machine.consoleLog, () => trimLog(machine.consoleLog)));
    void this.#listen(machine.events, (event) => {
      if (event.event === "SHUTDOWN") writeReason(paths, name, String(event.data.reason ?? "unknown"));
      const what = told[event.event];
      if (what !== undefined) tell({ what });
    });
  }

  async #listen(socket: string, heard: (event: QmpEvent) => void): Promise<void> {
    try {
      const client = await QmpClient.open(socket, { timeout: GREETING });
      if (this.#over) client[Symbol.dispose]();
      else {
        this.#stack.use(client);
        this.#stack.use(client.onEvent(heard));
      }
    } catch {
      // Its exit will be told all the same, and the reason is noted by whoever has the connection.
    }
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#stack[Symbol.dispose]();
  }
}

const told: Readonly<Record<string, VmEvent["what"]>> = { STOP: "paused", RESUME: "resumed", RESET: "reset" };

class Watcher implements Disposable {
  readonly #paths: VmPaths;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #listener: (event: VmEvent) => void;
  readonly #known = new Set<string>();
  readonly #lives = new Map<string, Life>();
  readonly #folders: readonly Disposable[];

  constructor(paths: VmPaths, labels: Readonly<Record<string, string>>, listener: (event: VmEvent) => void) {
    this.#paths = paths;
    this.#labels = labels;
    this.#listener = listener;
    const folders = [paths.machines, paths.live];
    for (const folder of folders) mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folders = folders.map((folder) => watchFolder(folder, () => this.#lookAtAll()));
    for (const name of machineNames(paths)) this.#look(name, true);
  }

  #lookAtAll(): void {
    for (const name of new Set([...this.#known, ...machineNames(this.#paths)])) this.#look(name);
  }

  #look(name: string, quiet = false): void {
    const config = readConfig(this.#paths, name);
    if (config === undefined) {
      if (!this.#known.delete(name)) return;
      this.#end(name);
      this.#listener({ name, what: "removed" });
      return;
    }
    if (!carries(config.labels, this.#labels)) return;
    this.#known.add(name);
    const running = readRunning(this.#paths, name);
    const life = this.#lives.get(name);
    if (running === undefined || life?.process.startTime === running.process.startTime) return;
    life?.[Symbol.dispose]();
    this.#lives.set(name, new Life(running.process, this.#paths, name, (event) => this.#tell(name, event)));
    if (!quiet) this.#listener({ name, what: "started" });
  }

  #tell(name: string, event: Omit<VmEvent, "name">): void {
    const reason = event.what === "exited" ? readReason(this.#paths, name) : undefined;
    if (event.what === "exited") this.#end(name);
    this.#listener({ name, ...event, ...(reason === undefined ? {} : { reason }) });
  }

  /** A removed machine's exit is told before its removal, though its folder may go first. */
  #end(name: string): void {
    this.#lives.get(name)?.[Symbol.dispose]();
    this.#lives.delete(name);
  }

  [Symbol.dispose](): void {
    for (const folder of this.#folders) folder[Symbol.dispose]();
    for (const name of [...this.#lives.keys()]) this.#end(name);
  }
}
