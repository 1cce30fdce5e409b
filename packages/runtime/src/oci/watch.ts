import { mkdirSync } from "node:fs";
import { watchExit, watchFolder } from "@switchyard/linux";
import { carries } from "../names.ts";
import type { ContainerEvent } from "../types.ts";
import type { OciPaths } from "./paths.ts";
import { containerNames, readExit, readLive, readRecord, stateOf } from "./record.ts";

/** Milliseconds that conmon gets to note the exit code; without conmon there will be none. */
const EXIT_CODE_WAIT = 1_000;

/**
 * Reports what happens to containers: their processes' starts and exits are files that appear, their removal a folder
 * that disappears. Inotify reports these whoever made the change, also another process of ours. A pidfd on each first
 * process tells of an exit that conmon, itself killed, can no longer note.
 */
export function watchContainers(
  paths: OciPaths,
  labels: Readonly<Record<string, string>>,
  listener: (event: ContainerEvent) => void,
  signal: AbortSignal,
): void {
  if (signal.aborted) return;
  const watcher = new Watcher(paths, labels, listener);
  signal.addEventListener("abort", () => watcher[Symbol.dispose](), { once: true });
}

/** What was last told of a container: which life of it, and whether that has ended. */
interface Told {
  readonly life: string;
  readonly what: "created" | "started" | "exited";
}

class Watcher implements Disposable {
  readonly #paths: OciPaths;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #listener: (event: ContainerEvent) => void;
  readonly #told = new Map<string, Told>();
  readonly #processes = new Map<string, Disposable>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #folders: readonly Disposable[];

  constructor(paths: OciPaths, labels: Readonly<Record<string, string>>, listener: (event: ContainerEvent) => void) {
    this.#paths = paths;
    this.#labels = labels;
    this.#listener = listener;
    const folders = [paths.containers, paths.live, paths.exits];
    for (const folder of folders) mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folders = folders.map((folder) =>
      watchFolder(folder, (names) => {
        for (const name of names ?? new Set([...this.#told.keys(), ...containerNames(paths)]))
          if (!name.startsWith(".")) this.#look(name);
      }),
    );
    for (const name of containerNames(paths)) this.#look(name, { quiet: true });
  }

  #look(name: string, options: { quiet?: boolean; codeOverdue?: boolean } = {}): void {
    const record = readRecord(this.#paths, name);
    const state = record === undefined ? undefined : stateOf(this.#paths, name);
    if (state === undefined) {
      this.#unwatch(name);
      if (this.#told.delete(name)) this.#listener({ name, what: "removed" });
      return;
    }
    if (!carries(state.labels, this.#labels)) return;
    const live = readLive(this.#paths, name);
    const life = live === undefined ? "" : `${live.pid} ${live.startTime}`;
    const what = state.status === "running" ? "started" : state.status === "exited" ? "exited" : "created";
    const told = this.#told.get(name);
    if (told?.life === life && told.what === what) return;
    const exitCode = what === "exited" ? readExit(this.#paths, name) : undefined;
    if (what === "exited" && exitCode === undefined && options.quiet !== true && options.codeOverdue !== true) return;
    this.#told.set(name, { life, what });
    if (what === "started" && live !== undefined) {
      this.#unwatch(name);
      this.#processes.set(
        name,
        watchExit(live, () => this.#later(() => this.#look(name, { codeOverdue: true }))),
      );
    }
    if (options.quiet === true || what === "created") return;
    this.#listener({ name, what, ...(exitCode === undefined ? {} : { exitCode }) });
  }

  #later(look: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      look();
    }, EXIT_CODE_WAIT);
    this.#timers.add(timer);
  }

  #unwatch(name: string): void {
    this.#processes.get(name)?.[Symbol.dispose]();
    this.#processes.delete(name);
  }

  [Symbol.dispose](): void {
    for (const folder of this.#folders) folder[Symbol.dispose]();
    for (const name of [...this.#processes.keys()]) this.#unwatch(name);
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
