import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { endProcess, identify, NETNS_DIR } from "@switchyard/linux";
import { carries, checkContainerName } from "../names.ts";
import { checkCommand, spawnInteractive } from "../streams/spawn.ts";
import type {
  ContainerConfig,
  ContainerEngine,
  ContainerEvent,
  ContainerState,
  EngineOptions,
  ExecOptions,
  ExecStreams,
} from "../types.ts";
import { lastWords, PodmanCommand } from "./command.ts";
import { podmanCreate, splitEnvironment } from "./config.ts";
import { followPodmanEvents } from "./events.ts";
import { parseContainers } from "./ps.ts";

const PULL_TIMEOUT = 600_000;
/** podman's own failures of `exec` (podman-exec(1)); the rest are the command's codes. */
const PODMAN_FAILED = 125;
/** Marks the processes of one `exec`, so that they are found when it is cancelled. */
const EXEC_MARK = "SWITCHYARD_EXEC";

/** Containers by podman, through its command. */
class PodmanEngine implements ContainerEngine {
  readonly kind = "podman";
  readonly #podman: PodmanCommand;
  readonly #options: EngineOptions;
  readonly #files: string;

  constructor(options: EngineOptions) {
    this.#podman = new PodmanCommand(options);
    this.#options = options;
    this.#files = `${options.runDir}/podman`;
  }

  async probe(signal?: AbortSignal): Promise<string> {
    const result = await this.#podman.try(["info", "--format", "{{.Version.Version}}"], signal ? { signal } : {});
    if (result.code !== 0)
      throw new YardError("runtime.podman-missing", `podman does not work here: ${lastWords(result)}`, {
        hint: "run podman info and correct what it names",
      });
    return `podman ${result.stdout.trim()}`;
  }

  async list(labels: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<ContainerState[]> {
    const filters = Object.entries(labels).flatMap(([name, value]) => ["--filter", `label=${name}=${value}`]);
    return this.#ps(filters, signal);
  }

  async #ps(filters: readonly string[], signal?: AbortSignal): Promise<ContainerState[]> {
    const args = ["ps", "--all", "--no-trunc", "--format", "json", ...filters];
    return parseContainers(await this.#podman.run(args, signal ? { signal } : {}));
  }

  async create(config: ContainerConfig, signal?: AbortSignal): Promise<void> {
    checkContainerName(config.name);
    const there = await this.#find(config.name, signal);
    if (there !== undefined) {
      if (carries(there.labels, config.labels)) return;
      throw new YardError("runtime.name-taken", `another container is called ${config.name}`, {
        hint: "remove or rename it; containers that do not carry our labels are never touched",
      });
    }
    if (!existsSync(`${NETNS_DIR}/${config.namespace}`))
      throw new YardError("runtime.namespace-absent", `there is no network namespace ${config.namespace}`, {
        hint: "the node's namespace is made before its container is",
      });
    if (config.rootfs === undefined) await this.#image(config, signal);
    const envFile = `${this.#files}/${config.name}.${randomUUID()}.env`;
    const wanted = podmanCreate(config, envFile);
    await this.#withFile(envFile, wanted.envFile, async () => {
      const { environment } = wanted;
      const result = await this.#podman.try(wanted.args, { environment, ...(signal ? { signal } : {}) });
      if (result.code === 0) return;
      const reason = lastWords(result);
      if (/no command or entrypoint|no command specified/i.test(reason))
        throw new YardError("runtime.no-command", `${config.name} has no command to run, and neither has its image`, {
          hint: "give the node a command, for example [sleep, infinity]",
        });
      throw new YardError("runtime.engine-failed", `podman cannot make ${config.name}: ${reason}`);
    });
  }

  /** Has the image in podman's storage, by the pull policy. */
  async #image(config: ContainerConfig, signal?: AbortSignal): Promise<void> {
    const image = config.image ?? "";
    const options = signal ? { signal } : {};
    const there = (await this.#podman.try(["image", "exists", image], options)).code === 0;
    if (there && config.pull !== "always") return;
    const hint = `podman pull ${image}, podman load, or podman import; check the name`;
    if (config.pull === "never")
      throw new YardError("runtime.image-absent", `podman has no image ${image} and is not to pull it`, { hint });
    const pulled = await this.#podman.try(["pull", "--quiet", image], { ...options, timeout: PULL_TIMEOUT });
    if (pulled.code !== 0)
      throw new YardError("runtime.image-absent", `podman cannot pull ${image}: ${lastWords(pulled)}`, { hint });
  }

  async start(name: string, signal?: AbortSignal): Promise<ContainerState> {
    const options = signal ? { signal } : {};
    const result = await this.#podman.try(["start", checkContainerName(name)], options);
    const state = await this.#find(name, signal);
    if (state === undefined) throw absent(name);
    if (result.code !== 0)
      throw new YardError("runtime.start-failed", `the container ${name} cannot be started: ${lastWords(result)}`, {
        hint: "check the command and the mounts of the node",
      });
    return state;
  }

  async stop(name: string, grace: number, signal?: AbortSignal): Promise<void> {
    const time = String(Math.ceil(grace / 1000));
    const args = ["stop", "--ignore", "--time", time, checkContainerName(name)];
    const result = await this.#podman.try(args, { timeout: grace + 60_000, ...(signal ? { signal } : {}) });
    if (result.code !== 0 && (await this.#find(name, signal))?.status === "running")
      throw new YardError("runtime.engine-failed", `podman cannot stop ${name}: ${lastWords(result)}`);
  }

  async remove(name: string, grace: number, signal?: AbortSignal): Promise<void> {
    const time = String(Math.ceil(grace / 1000));
    const args = ["rm", "--force", "--ignore", "--volumes", "--time", time, checkContainerName(name)];
    const result = await this.#podman.try(args, { timeout: grace + 60_000, ...(signal ? { signal } : {}) });
    if (result.code !== 0 && (await this.#find(name, signal)) !== undefined)
      throw new YardError("runtime.engine-failed", `podman cannot remove ${name}: ${lastWords(result)}`);
  }

  async exec(name: string, options: ExecOptions, streams: ExecStreams): Promise<number> {
    const command = checkCommand(options.command);
    await this.#running(name, options.signal);
    const mark = randomUUID();
    const envFile = `${this.#files}/${name}.${mark}.env`;
    const { lines, environment } = splitEnvironment({ ...options.env, [EXEC_MARK]: mark });
    const args = [
      "exec",
      ...["--env-file", envFile],
      ...(streams.stdin === undefined && !options.tty ? [] : ["--interactive"]),
      // Ctrl-P Ctrl-Q is the command's to read.
      ...(options.tty ? ["--tty", "--detach-keys", ""] : []),
      ...(options.user === undefined ? [] : ["--user", options.user]),
      ...(options.workdir === undefined ? [] : ["--workdir", options.workdir]),
      ...[name, ...command],
    ];
    const code = await this.#withFile(envFile, lines, () =>
      spawnInteractive(
        {
          argv: this.#podman.argv(...args),
          env: { ...this.#podman.env, ...environment },
          ...(options.signal === undefined ? {} : { signal: options.signal }),
          abort: (pid) => {
            for (const process of [...marked(mark), identify(pid)])
              if (process !== undefined) void endProcess(process, 0).catch(() => undefined);
          },
        },
        options.tty,
        streams,
      ),
    );
    if (code === PODMAN_FAILED) await this.#running(name, options.signal);
    return code;
  }

  async logs(
    name: string,
    options: { follow: boolean; tail?: number; signal?: AbortSignal },
    out: ExecStreams,
  ): Promise<void> {
    if ((await this.#find(checkContainerName(name), options.signal)) === undefined) throw absent(name);
    const args = [
      "logs",
      ...(options.follow ? ["--follow"] : []),
      ...(options.tail === undefined ? [] : ["--tail", String(options.tail)]),
      name,
    ];
    const { signal } = options;
    const program = { argv: this.#podman.argv(...args), env: this.#podman.env, ...(signal ? { signal } : {}) };
    try {
      await spawnInteractive(program, false, { ...out, stdin: undefined });
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }

  watch(
    labels: Readonly<Record<string, string>>,
    listener: (event: ContainerEvent) => void,
    signal: AbortSignal,
  ): void {
    followPodmanEvents(this.#podman, labels, listener, signal, this.#options.log).catch((error: unknown) =>
      this.#options.log.error({ err: error }, "podman events are no longer followed"),
    );
  }

  async copy(name: string, inside: string, outside: string, into: boolean, signal?: AbortSignal): Promise<void> {
    if ((await this.#find(checkContainerName(name), signal)) === undefined) throw absent(name);
    // An absolute path cannot be taken for NAME:PATH.
    const host = outside.startsWith("/") ? outside : `${process.cwd()}/${outside}`;
    if (into && !existsSync(host)) throw new YardError("runtime.path-absent", `there is no ${outside}`);
    const paths = into ? [host, `${name}:${inside}`] : [`${name}:${inside}`, host];
    const result = await this.#podman.try(["cp", ...paths], { timeout: PULL_TIMEOUT, ...(signal ? { signal } : {}) });
    if (result.code === 0) return;
    const reason = lastWords(result);
    if (/could not be found|no such file/i.test(reason))
      throw new YardError("runtime.path-absent", `podman cannot copy: ${reason}`);
    throw new YardError("runtime.engine-failed", `podman cannot copy: ${reason}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #find(name: string, signal?: AbortSignal): Promise<ContainerState | undefined> {
    // The filter is a regular expression.
    const pattern = name.replaceAll(".", "\\.");
    const found = await this.#ps(["--filter", `name=^${pattern}$`], signal);
    return found.find((state) => state.name === name);
  }

  async #running(name: string, signal?: AbortSignal): Promise<void> {
    const state = await this.#find(checkContainerName(name), signal);
    if (state === undefined) throw absent(name);
    if (state.status !== "running")
      throw new YardError("runtime.not-running", `the container ${name} is not running (${state.status})`, {
        hint: "see its log for why it has ended",
      });
  }

  async #withFile<R>(path: string, content: string, use: () => Promise<R>): Promise<R> {
    mkdirSync(this.#files, { recursive: true, mode: 0o700 });
    writeFileSync(path, content, { mode: 0o600 });
    try {
      return await use();
    } finally {
      rmSync(path, { force: true });
    }
  }
}

/** The processes whose environment has the mark of an `exec`. */
function marked(mark: string) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`${EXEC_MARK}=${mark}`);
      } catch {
        return false;
      }
    })
    .map((pid) => identify(Number(pid)));
}

function absent(name: string): YardError {
  return new YardError("runtime.no-such-container", `there is no container ${name}`);
}

export function openPodman(options: EngineOptions): ContainerEngine {
  return new PodmanEngine(options);
}
