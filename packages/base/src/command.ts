import { spawn } from "node:child_process";
import { YardError } from "./errors.ts";

/** How to run a command. */
export interface CommandOptions {
  /** Written to its standard input, which is then closed; without it standard input is empty. */
  readonly input?: string | Uint8Array;
  /** The whole environment; without it our own, less the variables that would configure our runtime. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ends the command with SIGKILL after this many milliseconds (`command.timeout`); 30,000 by default. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** What a command printed and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program by its argument vector, never through a shell, and waits for it.
 *
 * @returns its output and exit code, whatever the code is
 * @throws YardError `command.not-found`, `command.timeout`, `command.aborted`
 */
export function tryRun(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: options.env ?? childEnvironment(),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let failure: YardError | undefined;
    const end = (error: YardError) => {
      failure = error;
      child.kill("SIGKILL");
    };
    const limit = options.timeout ?? 30_000;
    const timer = setTimeout(
      () => end(new YardError("command.timeout", `${program} did not finish within ${limit} ms`)),
      limit,
    );
    const aborted = () => end(new YardError("command.aborted", `${program} was cancelled`));
    options.signal?.addEventListener("abort", aborted, { once: true });
    if (options.signal?.aborted) aborted();
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    // A program that exits without reading its input is no failure of ours.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input);
    const settle = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", aborted);
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      settle();
      reject(
        failure ??
          (error.code === "ENOENT"
            ? new YardError("command.not-found", `the program ${program} is not installed`, { cause: error })
            : new YardError("command.failed", `${program} could not be started: ${error.message}`, { cause: error })),
      );
    });
    child.on("close", (code, signal) => {
      settle();
      if (failure) reject(failure);
      else
        resolve({
          code: code ?? 128 + (signal === "SIGKILL" ? 9 : 15),
          stdout: Buffer.concat(out).toString("utf8"),
          stderr: Buffer.concat(err).toString("utf8"),
        });
    });
  });
}

/**
 * As {@link tryRun}, but an exit code other than 0 is a failure.
 *
 * @returns standard output
 * @throws YardError `command.failed` with the last line of standard error, and those of {@link tryRun}
 */
export async function run(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
  const result = await tryRun(argv, options);
  if (result.code !== 0) {
    const said = result.stderr.trim().split("\n").at(-1) ?? "";
    throw new YardError("command.failed", `${argv.join(" ")} failed with exit code ${result.code}: ${said}`);
  }
  return result.stdout;
}

/**
 * Our environment less what steers the runtime that we are compiled with: a child that is built the same way must
 * not run code or read options that somebody left in the caller's environment.
 */
export function childEnvironment(source: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(source)) {
    if (value !== undefined && !name.startsWith("BUN_") && name !== "NODE_OPTIONS") environment[name] = value;
  }
  return environment;
}

/** An argument vector as one would type it. */
export function shellWords(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}
