import type { Logger } from "@switchyard/base";

export type EngineKind = "docker" | "podman" | "oci";

/** Where an engine is and where it may keep things. */
export interface EngineOptions {
  /** In the form of DOCKER_HOST or CONTAINER_HOST: `unix:///path`, `tcp://host:port`; undefined: the engine's default. */
  readonly address?: string;
  /** Ours; survives a reboot. */
  readonly stateDir: string;
  /** Ours; what is in it is only true of this boot. */
  readonly runDir: string;
  /** The user's images for the oci engine: folders and archives. */
  readonly imageDir: string;
  readonly log: Logger;
  /** Added to the environment of the programs that an engine is driven by (podman). */
  readonly env?: Readonly<Record<string, string>>;
}

/** What the containers of every engine have in common, so far as Switchyard makes them. */
export interface ContainerConfig {
  /** The engine's name for it: `<yard>_<node>`. */
  readonly name: string;
  readonly image: string | undefined;
  readonly rootfs: string | undefined;
  /** Whether what the container writes goes into `rootfs` itself; otherwise it is kept apart and dropped with it. */
  readonly rootfsInPlace?: boolean;
  readonly pull: "missing" | "always" | "never";
  readonly command: readonly string[];
  readonly entrypoint: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly hostname: string;
  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly devices: readonly string[];
  readonly binds: readonly string[];
  readonly cpus: number | undefined;
  readonly memory: number | undefined;
  /** Kernel parameters of the container's namespaces; `net.*` among them. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Name of the network namespace that it shall live in (podman, oci); docker makes its own, without links. */
  readonly namespace: string;
  /** Where it lives in place of that (podman, oci): a namespace of this name, or undefined: the engine's own. */
  readonly hostNetwork?: { readonly namespace: string | undefined };
  /** Labels, among them the owner's mark and the fingerprint. */
  readonly labels: Readonly<Record<string, string>>;
}

export type ContainerStatus = "created" | "running" | "paused" | "exited" | "dead";

/** A container of ours as its engine reports it. */
export interface ContainerState {
  readonly name: string;
  /** The engine's id. */
  readonly id: string;
  readonly status: ContainerStatus;
  /** Its first process while it runs; the namespaces are found by it. */
  readonly pid: number | undefined;
  readonly exitCode: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** Something happened to a container: it started, or its first process ended. */
export interface ContainerEvent {
  readonly name: string;
  readonly what: "started" | "exited" | "removed";
  readonly exitCode?: number;
}

/** How to run a command inside. */
export interface ExecOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workdir?: string;
  readonly signal?: AbortSignal;
}

/** Where a command's streams go. With a tty there is no `stderr`. */
export interface ExecStreams {
  readonly stdin: NodeJS.ReadableStream | undefined;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Terminal size now, and whenever it changes. */
  readonly size?: { columns: number; rows: number; onChange(listener: (columns: number, rows: number) => void): void };
}

/** A container engine. Every method may be repeated; what is already so is no error. */
export interface ContainerEngine extends AsyncDisposable {
  readonly kind: EngineKind;
  /** Version text; throws `runtime.docker-unreachable` and its like with the remedy. */
  probe(signal?: AbortSignal): Promise<string>;
  /** Every container that carries all these labels. */
  list(labels: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<ContainerState[]>;
  create(config: ContainerConfig, signal?: AbortSignal): Promise<void>;
  /**
   * Does of a start what comes before the first process runs, where the engine can: most of the work. The network need
   * not be ready for it; {@link start} does the rest.
   */
  prepare?(name: string, signal?: AbortSignal): Promise<void>;
  start(name: string, signal?: AbortSignal): Promise<ContainerState>;
  /**
   * Ends the first process (SIGTERM, SIGKILL after `grace` milliseconds, 0 kills at once), and with it all others. What
   * the container has written is there when it is started again.
   */
  stop(name: string, grace: number, signal?: AbortSignal): Promise<void>;
  /** Stops (SIGTERM, SIGKILL after `grace` milliseconds, 0 kills at once) and removes. */
  remove(name: string, grace: number, signal?: AbortSignal): Promise<void>;
  /** @returns the command's exit code */
  exec(name: string, options: ExecOptions, streams: ExecStreams): Promise<number>;
  logs(
    name: string,
    options: { follow: boolean; tail?: number; signal?: AbortSignal },
    out: ExecStreams,
  ): Promise<void>;
  /** Events of containers that carry these labels, until aborted; reconnects by itself. */
  watch(labels: Readonly<Record<string, string>>, listener: (event: ContainerEvent) => void, signal: AbortSignal): void;
  /** Copies a file or folder; `into` false copies out of the container. */
  copy(name: string, inside: string, outside: string, into: boolean, signal?: AbortSignal): Promise<void>;
}
