import { asYardError, deadline, type Logger, type YardError } from "@switchyard/base";
import { type ContainerEngine, type ContainerEvent, type ContainerState, openEngine } from "@switchyard/runtime";
import type { ContainerRuntime } from "../model/types.ts";
import { LABEL_NODE, LABEL_OWNER } from "./mark.ts";
import type { YardPaths } from "./paths.ts";

/** Which engine: a runtime, and its address where the caller named one. */
export interface EngineKey {
  readonly runtime: ContainerRuntime;
  readonly engine: string | undefined;
}

/** The containers of a yard over all its engines, by node. */
export interface EngineView {
  readonly containers: ReadonlyMap<string, { readonly key: EngineKey; readonly state: ContainerState }>;
  /** Ids of the engines that told of their containers. */
  readonly answered: ReadonlySet<string>;
  /** Engines that did not answer. */
  readonly failures: readonly { readonly key: EngineKey; readonly error: YardError }[];
}

/** Milliseconds that an engine may take to tell of its containers. */
const ANSWER_LIMIT = 10_000;

/** The container engines that a yard uses, opened when first needed and watched from then on. */
export class Engines implements AsyncDisposable {
  readonly #open = new Map<string, { key: EngineKey; engine: Promise<ContainerEngine> }>();
  readonly #stop = new AbortController();
  readonly #labels: Readonly<Record<string, string>>;

  constructor(
    private readonly paths: YardPaths,
    private readonly log: Logger,
    /** Told of every container of the yard that starts, ends or goes; undefined: nothing is watched. */
    private readonly onEvent?: (event: ContainerEvent) => void,
  ) {
    this.#labels = { [LABEL_OWNER]: paths.yard };
  }

  /** The engine, opened and watched. */
  get(key: EngineKey): Promise<ContainerEngine> {
    const id = engineId(key);
    const open = this.#open.get(id);
    if (open) return open.engine;
    const engine = openEngine(key.runtime, {
      ...(key.engine === undefined ? {} : { address: key.engine }),
      stateDir: this.paths.state,
      runDir: this.paths.run,
      imageDir: this.paths.images,
      log: this.log,
    });
    this.#open.set(id, { key, engine });
    engine.then(
      (it) => this.onEvent && it.watch(this.#labels, this.onEvent, this.#stop.signal),
      () => this.#open.delete(id),
    );
    return engine;
  }

  /** Engines opened so far, and so those that may hold something of ours. */
  keys(): EngineKey[] {
    return [...this.#open.values()].map(({ key }) => key);
  }

  /** Lists the yard's containers on the given engines, all at once. */
  async list(keys: readonly EngineKey[], signal?: AbortSignal): Promise<EngineView> {
    const distinct = new Map([...keys, ...this.keys()].map((key) => [engineId(key), key]));
    const containers = new Map<string, { key: EngineKey; state: ContainerState }>();
    const answered = new Set<string>();
    const failures: { key: EngineKey; error: YardError }[] = [];
    await Promise.all(
      [...distinct.values()].map(async (key) => {
        try {
          for (const state of await this.#listOne(key, signal)) {
            const node = state.labels[LABEL_NODE];
            if (node !== undefined) containers.set(node, { key, state });
          }
          answered.add(engineId(key));
        } catch (error) {
          failures.push({ key, error: asYardError(error, "runtime.unreachable") });
        }
      }),
    );
    return { containers, answered, failures };
  }

  /** One engine that hangs must not keep the others' nodes waiting. */
  async #listOne(key: EngineKey, signal: AbortSignal | undefined): Promise<ContainerState[]> {
    using limit = deadline(
      ANSWER_LIMIT,
      "runtime.unreachable",
      `the engine ${engineId(key)} did not answer within ${ANSWER_LIMIT / 1000} s`,
      signal,
    );
    const { promise: late, reject } = Promise.withResolvers<never>();
    limit.addEventListener("abort", () => reject(limit.reason), { once: true });
    const listed = this.get(key).then((engine) => engine.list(this.#labels, limit));
    listed.catch(() => {});
    return await Promise.race([listed, late]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const { engine } of this.#open.values()) await engine.then((it) => it[Symbol.asyncDispose]()).catch(() => {});
    this.#open.clear();
  }
}

/** One text an engine, to tell them apart and to write them down: `docker unix:///run/docker.sock`, `oci`. */
export function engineId(key: EngineKey): string {
  return key.engine === undefined ? key.runtime : `${key.runtime} ${key.engine}`;
}

/** The inverse of {@link engineId}; undefined for what no version of ours wrote. */
export function parseEngineId(text: string): EngineKey | undefined {
  const [runtime, engine] = text.split(" ");
  if (runtime !== "docker" && runtime !== "podman" && runtime !== "oci") return undefined;
  return { runtime, engine };
}
