import { once } from "node:events";
import { YardError } from "@switchyard/base";
import Docker from "dockerode";
import { carries, checkContainerName } from "../names.ts";
import type {
  ContainerConfig,
  ContainerEngine,
  ContainerEvent,
  ContainerState,
  ContainerStatus,
  EngineOptions,
  ExecOptions,
  ExecStreams,
} from "../types.ts";
import { parseDockerAddress } from "./address.ts";
import { dockerConfig } from "./config.ts";
import { copyIn, copyOut } from "./copy.ts";
import { followDockerEvents } from "./events.ts";
import { execInDocker } from "./exec.ts";
import { asDockerError, readFailure } from "./failure.ts";
import { Demultiplexer } from "./stream.ts";

/** Containers by a Docker engine, over its API. */
class DockerEngine implements ContainerEngine {
  readonly kind = "docker";
  readonly #docker: Docker;
  readonly #options: EngineOptions;
  readonly #address: string;
  readonly #local: boolean;

  constructor(options: EngineOptions) {
    const address = parseDockerAddress(options.address);
    this.#options = options;
    this.#address = options.address ?? `unix://${address.socketPath ?? ""}`;
    this.#local = address.socketPath !== undefined;
    // All are given, also as undefined: what is not would be taken from our own environment, not the caller's.
    this.#docker = new Docker({ ...address });
  }

  async probe(signal?: AbortSignal): Promise<string> {
    const { Version, ApiVersion } = await this.#ask(() => this.#docker.version(), signal);
    return `Docker ${Version} (API ${ApiVersion})`;
  }

  async list(labels: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<ContainerState[]> {
    const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
    const found = await this.#ask(
      () => this.#docker.listContainers({ all: true, filters: { label }, abortSignal: signal }),
      signal,
    );
    const states = await Promise.all(found.map(({ Id }) => this.#inspect(Id, signal)));
    return states.filter((state) => state !== undefined);
  }

  async create(config: ContainerConfig, signal?: AbortSignal): Promise<void> {
    checkContainerName(config.name);
    const wanted = dockerConfig(config);
    const there = await this.#inspect(config.name, signal);
    if (there !== undefined) {
      if (carries(there.labels, config.labels)) return;
      throw taken(config.name);
    }
    if (config.pull === "always") await this.#pull(config.image ?? "", signal);
    const create = () => this.#docker.createContainer({ ...wanted, abortSignal: signal });
    try {
      await create();
    } catch (error) {
      const { status, message } = readFailure(error);
      if (status === 404 && /no such image/i.test(message)) {
        if (config.pull !== "missing") throw this.#imageAbsent(config.image ?? "", "and is not to be pulled", error);
        await this.#pull(config.image ?? "", signal);
        await this.#ask(create, signal);
      } else if (status === 409) throw taken(config.name);
      else if (/no command specified/i.test(message))
        throw new YardError("runtime.no-command", `${config.name} has no command to run, and neither has its image`, {
          hint: "give the node a command, for example [sleep, infinity]",
          cause: error,
        });
      else throw asDockerError(error, this.#address, signal);
    }
  }

  async #pull(image: string, signal?: AbortSignal): Promise<void> {
    const name = /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
    try {
      const stream = await this.#docker.pull(name, { abortSignal: signal });
      await new Promise<void>((resolve, reject) => {
        this.#docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      const { status, errno, message } = readFailure(error);
      if (signal?.aborted || (status === undefined && errno !== undefined))
        throw asDockerError(error, this.#address, signal);
      throw this.#imageAbsent(image, `and cannot be pulled: ${message}`, error);
    }
  }

  #imageAbsent(image: string, why: string, cause: unknown): YardError {
    return new YardError("runtime.image-absent", `the Docker engine has no image ${image} ${why}`, {
      hint: `docker pull ${image}, docker load, or docker import; check the name`,
      cause,
    });
  }

  async start(name: string, signal?: AbortSignal): Promise<ContainerState> {
    try {
      await this.#docker.getContainer(checkContainerName(name)).start({ abortSignal: signal });
    } catch (error) {
      const { status, message } = readFailure(error);
      // 304: it runs already.
      if (status === 404 && /no such container/i.test(message)) throw absent(name, error);
      if (status !== undefined && status !== 304)
        throw new YardError("runtime.start-failed", `the container ${name} cannot be started: ${message}`, {
          hint: "check the command and the mounts of the node",
          cause: error,
        });
      if (status === undefined) throw asDockerError(error, this.#address, signal);
    }
    const state = await this.#inspect(name, signal);
    if (state === undefined) throw absent(name);
    return state;
  }

  async stop(name: string, grace: number, signal?: AbortSignal): Promise<void> {
    try {
      const t = Math.ceil(grace / 1000);
      await this.#docker.getContainer(checkContainerName(name)).stop({ t, abortSignal: signal });
    } catch (error) {
      const { status } = readFailure(error);
      // 304: stopped already; 404: gone.
      if (status !== 304 && status !== 404) throw asDockerError(error, this.#address, signal);
    }
  }

  async remove(name: string, grace: number, signal?: AbortSignal): Promise<void> {
    const container = this.#docker.getContainer(checkContainerName(name));
    const gone = async (ask: () => Promise<unknown>) => {
      try {
        await ask();
      } catch (error) {
        const { status } = readFailure(error);
        // 304: stopped already; 404: gone already; 409: somebody else is removing it, which is waited for below.
        if (status !== 304 && status !== 404 && status !== 409) throw asDockerError(error, this.#address, signal);
      }
    };
    if (grace > 0) await gone(() => container.stop({ t: Math.ceil(grace / 1000), abortSignal: signal }));
    await gone(() => container.remove({ force: true, v: true }));
    if ((await this.#inspect(name, signal)) === undefined) return;
    await gone(() => container.wait({ condition: "removed", abortSignal: signal }));
  }

  async exec(name: string, options: ExecOptions, streams: ExecStreams): Promise<number> {
    options.signal?.throwIfAborted();
    await this.#running(name, options.signal);
    const container = this.#docker.getContainer(name);
    return this.#ask(() => execInDocker(container, this.#local, options, streams), options.signal);
  }

  async logs(
    name: string,
    options: { follow: boolean; tail?: number; signal?: AbortSignal },
    out: ExecStreams,
  ): Promise<void> {
    const container = this.#docker.getContainer(checkContainerName(name));
    const demultiplexer = new Demultiplexer(out);
    const wanted = { stdout: true, stderr: true, ...(options.tail === undefined ? {} : { tail: options.tail }) };
    try {
      if (!options.follow) {
        demultiplexer.push(await container.logs({ ...wanted, follow: false, abortSignal: options.signal }));
        return;
      }
      if (options.signal?.aborted) return;
      const stream = await container.logs({ ...wanted, follow: true });
      const stop = () => {
        if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy();
      };
      options.signal?.addEventListener("abort", stop, { once: true });
      stream.on("data", (chunk: Buffer) => demultiplexer.push(chunk));
      await Promise.race([once(stream, "end"), once(stream, "close")]);
      options.signal?.removeEventListener("abort", stop);
    } catch (error) {
      if (options.signal?.aborted) return;
      throw readFailure(error).status === 404 ? absent(name, error) : asDockerError(error, this.#address);
    }
  }

  watch(
    labels: Readonly<Record<string, string>>,
    listener: (event: ContainerEvent) => void,
    signal: AbortSignal,
  ): void {
    void followDockerEvents(this.#docker, labels, listener, signal, this.#options.log);
  }

  async copy(name: string, inside: string, outside: string, into: boolean, signal?: AbortSignal): Promise<void> {
    if ((await this.#inspect(checkContainerName(name), signal)) === undefined) throw absent(name);
    const container = this.#docker.getContainer(name);
    await this.#ask(
      () => (into ? copyIn(container, outside, inside, signal) : copyOut(container, inside, outside, signal)),
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #ask<R>(request: () => Promise<R>, signal?: AbortSignal): Promise<R> {
    try {
      signal?.throwIfAborted();
      return await request();
    } catch (error) {
      throw asDockerError(error, this.#address, signal);
    }
  }

  async #inspect(id: string, signal?: AbortSignal): Promise<ContainerState | undefined> {
    return this.#ask(async () => {
      try {
        const { Id, Name, State, Config } = await this.#docker.getContainer(id).inspect({ abortSignal: signal });
        const status = statusOf(State.Status);
        return {
          name: Name.replace(/^\//, ""),
          id: Id,
          status,
          pid: status === "running" && State.Pid > 0 ? State.Pid : undefined,
          exitCode: status === "exited" ? State.ExitCode : undefined,
          labels: Config.Labels,
        };
      } catch (error) {
        if (readFailure(error).status === 404) return undefined;
        throw error;
      }
    }, signal);
  }

  async #running(name: string, signal?: AbortSignal): Promise<void> {
    const state = await this.#inspect(checkContainerName(name), signal);
    if (state === undefined) throw absent(name);
    if (state.status !== "running")
      throw new YardError("runtime.not-running", `the container ${name} is not running (${state.status})`, {
        hint: "see its log for why it has ended",
      });
  }
}

function statusOf(text: string): ContainerStatus {
  switch (text) {
    case "created":
    case "running":
    case "paused":
    case "exited":
      return text;
    case "restarting":
      return "exited";
    default:
      return "dead";
  }
}

function absent(name: string, cause?: unknown): YardError {
  return new YardError("runtime.no-such-container", `there is no container ${name}`, { cause });
}

function taken(name: string): YardError {
  return new YardError("runtime.name-taken", `another container is called ${name}`, {
    hint: "remove or rename it; containers that do not carry our labels are never touched",
  });
}

export function openDocker(options: EngineOptions): ContainerEngine {
  return new DockerEngine(options);
}
