import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { tryRun, YardError } from "@switchyard/base";
import { endProcess, identify, isAlive, NETNS_DIR, namespaceId, type ProcessId, watchExit } from "@switchyard/linux";
import { copyBetween, hostPlace } from "../files/copy.ts";
import { carries, checkContainerName } from "../names.ts";
import { Turns } from "../turns.ts";
import type {
  ContainerConfig,
  ContainerEngine,
  ContainerEvent,
  ContainerState,
  EngineOptions,
  ExecOptions,
  ExecStreams,
} from "../types.ts";
import { ociConfig } from "./config.ts";
import { clear, conmonOf, launch, release } from "./conmon.ts";
import { execInContainer } from "./exec.ts";
import { ensureImage, folderImage } from "./images/mod.ts";
import { writeLog } from "./logs.ts";
import { isMounted, mountRoot, unmountRoot } from "./overlay.ts";
import { type Bundle, bundleOf, type OciPaths, ociPaths } from "./paths.ts";
import { containerNames, readLive, readRecord, stateOf, writeLive, writeWhole } from "./record.ts";
import { hasSeccompProfile } from "./seccomp.ts";
import { resolveUser } from "./user.ts";
import { watchContainers } from "./watch.ts";

/** Milliseconds that conmon gets to end after its container has. */
const CONMON_GRACE = 2_000;
/** runc starts are bound by the processor; more at once than this only makes each of them late. */
const AT_ONCE = Math.max(4, 2 * availableParallelism());

/** Containers by an OCI runtime (runc) under conmon, with no daemon. */
class OciEngine implements ContainerEngine {
  readonly kind = "oci";
  readonly #paths: OciPaths;
  readonly #options: EngineOptions;
  readonly #turns = new Turns(AT_ONCE);
  /** Containers made by us just now that nobody has tried to start. */
  readonly #untouched = new Set<string>();
  /** First processes made by us that wait until they may run. */
  readonly #waiting = new Map<string, ProcessId>();
  /** runc, which every distribution has; crun where it is the only one. Both have one command line. */
  readonly #runtime = Bun.which("runc") === null && Bun.which("crun") !== null ? "crun" : "runc";

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#paths = ociPaths(options);
  }

  async probe(signal?: AbortSignal): Promise<string> {
    const options = signal === undefined ? {} : { signal };
    const [runtime, conmon] = await Promise.all(
      [this.#runtime, "conmon"].map((program) => tryRun([program, "--version"], options).catch(() => undefined)),
    );
    const lacking = [...(runtime?.code === 0 ? [] : [this.#runtime]), ...(conmon?.code === 0 ? [] : ["conmon"])];
    if (lacking.length > 0)
      throw new YardError("runtime.oci-missing", `the oci runtime needs ${lacking.join(" and ")}`, {
        hint: `apt-get install ${lacking.join(" ")}`,
      });
    const first = (text: string | undefined) => text?.split("\n")[0] ?? "";
    return `${first(runtime?.stdout)}, ${first(conmon?.stdout)}${hasSeccompProfile() ? "" : ", no seccomp profile"}`;
  }

  async list(labels: Readonly<Record<string, string>>): Promise<ContainerState[]> {
    return containerNames(this.#paths)
      .flatMap((name) => stateOf(this.#paths, name) ?? [])
      .filter((state) => carries(state.labels, labels));
  }

  async create(config: ContainerConfig, signal?: AbortSignal): Promise<void> {
    checkContainerName(config.name);
    const there = readRecord(this.#paths, config.name);
    if (there !== undefined) {
      if (carries(there.labels, config.labels)) return;
      throw new YardError("runtime.name-taken", `another container is called ${config.name}`, {
        hint: "remove or rename it; containers that do not carry our labels are never touched",
      });
    }
    const image =
      config.rootfs === undefined ? await ensureImage(this.#paths, config.image ?? "") : folderImage(config.rootfs);
    signal?.throwIfAborted();
    if (!config.privileged && !hasSeccompProfile())
      this.#options.log.warn({ container: config.name }, "no seccomp profile on this host: containers run unfiltered");
    const final = bundleOf(`${this.#paths.containers}/${config.name}`);
    const draft = bundleOf(`${this.#paths.containers}/.new-${config.name}-${process.pid}`);
    rmSync(draft.path, { recursive: true, force: true });
    mkdirSync(draft.path, { recursive: true, mode: 0o700 });
    try {
      const inPlace = config.rootfs !== undefined && config.rootfsInPlace === true;
      const credentials = resolveUser(image.root, config.user ?? image.config.user);
      const spec = ociConfig(config, image.config, credentials, inPlace ? image.root : final.rootfs);
      if (!inPlace) symlinkSync(image.root, draft.lower);
      writeFileSync(draft.config, JSON.stringify(spec), { mode: 0o600 });
      writeWhole(draft.record, JSON.stringify({ name: config.name, labels: config.labels }));
      renameSync(draft.path, final.path);
      this.#untouched.add(config.name);
    } catch (error) {
      rmSync(draft.path, { recursive: true, force: true });
      if (readRecord(this.#paths, config.name) === undefined) throw error;
    }
  }

  async prepare(name: string, signal?: AbortSignal): Promise<void> {
    await this.#turns.take(async () => {
      if (this.#state(name).status !== "running") await this.#prepare(name, signal);
    }, signal);
  }

  start(name: string, signal?: AbortSignal): Promise<ContainerState> {
    return this.#turns.take(() => this.#start(name, signal), signal);
  }

  async #start(name: string, signal?: AbortSignal): Promise<ContainerState> {
    const before = this.#state(name);
    if (before.status === "running") return before;
    const id = await this.#prepare(name, signal);
    this.#waiting.delete(name);
    try {
      await release(this.#runtimePath(), this.#paths, name, signal);
    } catch (error) {
      await clear(this.#runtime, this.#paths, this.#bundle(name), name, true);
      throw error;
    }
    writeLive(this.#paths, name, id);
    return this.#state(name);
  }

  /** @returns the first process, which waits */
  async #prepare(name: string, signal?: AbortSignal): Promise<ProcessId> {
    const bundle = this.#bundle(name);
    const namespace = this.#namespaceOf(bundle);
    const waiting = this.#waiting.get(name);
    // A namespace that was made anew meanwhile has the name, and the nics, but is not the one that it is in.
    const isThere = waiting !== undefined && (namespace === undefined || namespace === namespaceId(waiting));
    if (isThere && isAlive(waiting)) return waiting;
    const thorough = this.#mayBeHalfMade(name);
    this.#untouched.delete(name);
    await clear(this.#runtime, this.#paths, bundle, name, thorough);
    rmSync(`${this.#paths.live}/${name}`, { force: true });
    rmSync(`${this.#paths.exits}/${name}`, { force: true });
    if (existsSync(bundle.lower)) mountRoot(bundle);
    const id = await this.#launch(bundle, name, signal);
    this.#waiting.set(name, id);
    return id;
  }

  async #launch(bundle: Bundle, name: string, signal?: AbortSignal): Promise<ProcessId> {
    for (let first = true; ; first = false) {
      try {
        return await launch(this.#runtimePath(), this.#paths, bundle, name, signal);
      } catch (error) {
        await clear(this.#runtime, this.#paths, bundle, name, true);
        // A conmon that whoever was killed had just started, and that was not yet to be seen as one, came first.
        if (!first || !(error instanceof YardError) || !/already exists|not empty/.test(error.message)) throw error;
      }
    }
  }

  async stop(name: string, grace: number): Promise<void> {
    const live = readLive(this.#paths, checkContainerName(name));
    if (live !== undefined && isAlive(live)) await this.#stop(this.#bundle(name), live, grace);
  }

  async remove(name: string, grace: number): Promise<void> {
    checkContainerName(name);
    const bundle = this.#bundle(name);
    const live = readLive(this.#paths, name);
    if (live !== undefined && isAlive(live)) await this.#stop(bundle, live, grace);
    const thorough = this.#mayBeHalfMade(name);
    this.#untouched.delete(name);
    this.#waiting.delete(name);
    await this.#turns.take(() => clear(this.#runtime, this.#paths, bundle, name, thorough));
    unmountRoot(bundle);
    for (const file of [`${this.#paths.live}/${name}`, `${this.#paths.exits}/${name}`]) rmSync(file, { force: true });
    for (const file of namesIn(this.#paths.exec)) {
      if (file.startsWith(`${name}.`)) rmSync(`${this.#paths.exec}/${file}`, { force: true });
    }
    // Whoever watches sees it gone at once; the rest is found by its dot after a crash.
    const trash = `${this.#paths.containers}/.gone-${name}-${process.pid}`;
    if (existsSync(bundle.path)) {
      rmSync(trash, { recursive: true, force: true });
      renameSync(bundle.path, trash);
    }
    this.#sweep(name);
  }

  /** Ends the first process, which ends all others of its pid namespace, and waits for conmon to have noted it. */
  async #stop(bundle: Bundle, live: ProcessId, grace: number): Promise<void> {
    const conmon = conmonOf(bundle);
    await endProcess(live, grace);
    if (conmon === undefined) return;
    const ended = Promise.withResolvers<void>();
    using _watch = watchExit(conmon, () => ended.resolve());
    const timer = setTimeout(() => ended.resolve(), CONMON_GRACE);
    await ended.promise.finally(() => clearTimeout(timer));
  }

  /** Deletes what half-made or half-removed folders of a container there are. */
  #sweep(name: string): void {
    for (const entry of namesIn(this.#paths.containers)) {
      const match = /^\.(?:new|gone)-(.+)-\d+$/.exec(entry);
      if (match?.[1] === name) rmSync(`${this.#paths.containers}/${entry}`, { recursive: true, force: true });
    }
  }

  async exec(name: string, options: ExecOptions, streams: ExecStreams): Promise<number> {
    const { pid } = this.#running(name);
    return execInContainer(this.#runtime, this.#paths, this.#bundle(name), { name, pid }, options, streams);
  }

  async logs(
    name: string,
    options: { follow: boolean; tail?: number; signal?: AbortSignal },
    out: ExecStreams,
  ): Promise<void> {
    const state = this.#state(name);
    const ended = Promise.withResolvers<void>();
    const bundle = this.#bundle(name);
    // The log is complete when conmon has ended, a moment after the container has.
    const conmon = conmonOf(bundle) ?? readLive(this.#paths, name);
    using _watch =
      state.status === "running" && conmon !== undefined ? watchExit(conmon, () => ended.resolve()) : undefined;
    if (state.status !== "running") ended.resolve();
    await writeLog(bundle.log, options, ended.promise, out);
  }

  watch(
    labels: Readonly<Record<string, string>>,
    listener: (event: ContainerEvent) => void,
    signal: AbortSignal,
  ): void {
    watchContainers(this.#paths, labels, listener, signal);
  }

  async copy(name: string, inside: string, outside: string, into: boolean, signal?: AbortSignal): Promise<void> {
    const state = this.#state(name);
    const bundle = this.#bundle(name);
    if (state.pid === undefined && existsSync(bundle.lower)) mountRoot(bundle);
    // The process's own view has its binds too.
    const root = state.pid === undefined ? this.#rootOf(bundle) : `/proc/${state.pid}/root`;
    await (into
      ? copyBetween(hostPlace(outside), { root, path: inside }, signal)
      : copyBetween({ root, path: inside }, hostPlace(outside), signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Whether a start may have been broken off: only then can there be processes that are noted nowhere. */
  #mayBeHalfMade(name: string): boolean {
    return readLive(this.#paths, name) === undefined && !this.#untouched.has(name);
  }

  #bundle(name: string): Bundle {
    return bundleOf(`${this.#paths.containers}/${name}`);
  }

  #rootOf(bundle: Bundle): string {
    if (isMounted(bundle.rootfs)) return bundle.rootfs;
    const config: unknown = JSON.parse(readFileSync(bundle.config, "utf8"));
    if (typeof config === "object" && config !== null && "root" in config) {
      const { root } = config;
      if (typeof root === "object" && root !== null && "path" in root && typeof root.path === "string")
        return root.path;
    }
    return bundle.rootfs;
  }

  #state(name: string): ContainerState {
    const state = stateOf(this.#paths, checkContainerName(name));
    if (state === undefined) throw new YardError("runtime.no-such-container", `there is no container ${name}`);
    return state;
  }

  #running(name: string): ContainerState & { pid: number } {
    const state = this.#state(name);
    if (state.pid === undefined)
      throw new YardError("runtime.not-running", `the container ${name} is not running (${state.status})`, {
        hint: "see its log for why it has ended",
      });
    return { ...state, pid: state.pid };
  }

  /**
   * The namespace that a container shall be in, by its inode; runc would say in a way that names neither the node nor
   * the remedy that there is none.
   *
   * @throws YardError `runtime.namespace-absent`
   */
  #namespaceOf(bundle: Bundle): number | undefined {
    const path = /"type":"network","path":"([^"]+)"/.exec(readFileSync(bundle.config, "utf8"))?.[1];
    if (path === undefined) return undefined;
    const id = namespaceId({ path });
    if (id === undefined)
      throw new YardError(
        "runtime.namespace-absent",
        `there is no network namespace ${path.slice(NETNS_DIR.length + 1)}`,
        { hint: "the node's namespace is made before its container starts" },
      );
    return id;
  }

  #program: string | undefined;
  /** conmon takes a path only. */
  #runtimePath(): string {
    this.#program ??= Bun.which(this.#runtime) ?? undefined;
    if (this.#program === undefined)
      throw new YardError("runtime.oci-missing", `the oci runtime needs ${this.#runtime}`, {
        hint: `apt-get install ${this.#runtime} conmon`,
      });
    return this.#program;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Deletes the drafts in a folder whose maker, named by pid at their end, no longer runs. */
function sweepDrafts(folder: string): void {
  for (const entry of namesIn(folder)) {
    const pid = /^\..*[.-](\d+)$/.exec(entry)?.[1];
    if (pid !== undefined && identify(Number(pid)) === undefined)
      rmSync(`${folder}/${entry}`, { recursive: true, force: true });
  }
}

export function openOci(options: EngineOptions): ContainerEngine {
  const paths = ociPaths(options);
  for (const folder of [paths.containers, paths.images, paths.live]) sweepDrafts(folder);
  return new OciEngine(options);
}
