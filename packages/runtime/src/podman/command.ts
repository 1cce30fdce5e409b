import { availableParallelism } from "node:os";
import { type CommandResult, childEnvironment, tryRun, YardError } from "@switchyard/base";
import { Turns } from "../turns.ts";
import type { EngineOptions } from "../types.ts";

/** podman locks its storage; more of them at once only make each other wait, and time out. */
const AT_ONCE = Math.max(4, 2 * availableParallelism());

/** How podman is called: its global options and its environment. */
export class PodmanCommand {
  readonly #turns = new Turns(AT_ONCE);
  readonly #global: readonly string[];
  readonly env: Readonly<Record<string, string>>;

  /** @throws YardError `runtime.bad-address` */
  constructor(options: Pick<EngineOptions, "address" | "env">) {
    const { address } = options;
    if (address !== undefined && !/^(unix:\/\/\/|tcp:\/\/|ssh:\/\/)[^\s]+$/.test(address))
      throw new YardError("runtime.bad-address", `"${address}" is no address of a container engine`, {
        hint: "write unix:///path/of/socket, tcp://host:port or ssh://user@host/path, as CONTAINER_HOST has it",
      });
    this.#global = address === undefined ? [] : ["--remote", "--url", address];
    // CONTAINER_HOST of our own environment is not the caller's word.
    const { CONTAINER_HOST: _, ...env } = childEnvironment();
    this.env = { ...env, ...options.env };
  }

  argv(...args: readonly string[]): readonly [string, ...string[]] {
    return ["podman", ...this.#global, ...args];
  }

  /**
   * Runs one of podman's commands.
   *
   * @param environment is added to podman's own, for values that must not be seen among the arguments
   * @throws YardError `runtime.podman-missing`, `command.timeout`, and the signal's reason
   */
  async try(
    args: readonly string[],
    options: { signal?: AbortSignal; timeout?: number; environment?: Readonly<Record<string, string>> } = {},
  ): Promise<CommandResult> {
    const { signal, timeout, environment } = options;
    try {
      const command = {
        env: { ...this.env, ...environment },
        timeout: timeout ?? 60_000,
        ...(signal === undefined ? {} : { signal }),
      };
      return await this.#turns.take(() => tryRun(this.argv(...args), command), signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof YardError && error.code === "command.not-found")
        throw new YardError("runtime.podman-missing", "podman is not installed", {
          hint: "apt-get install podman",
          cause: error,
        });
      throw error;
    }
  }

  /** As {@link try}, but failure is an error with podman's last words. @throws YardError `runtime.engine-failed` too */
  async run(args: readonly string[], options: { signal?: AbortSignal } = {}): Promise<string> {
    const result = await this.try(args, options);
    if (result.code !== 0) throw new YardError("runtime.engine-failed", `podman: ${lastWords(result)}`);
    return result.stdout;
  }
}

/** The reason in podman's standard error. */
export function lastWords(result: CommandResult): string {
  const lines = result.stderr.trim().split("\n");
  return (lines.findLast((line) => line.startsWith("Error:")) ?? lines.at(-1) ?? "").replace(/^Error: /, "");
}
