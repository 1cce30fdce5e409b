import { once } from "node:events";
import { backoff, delay, YardError } from "@switchyard/base";
import { endProcess, identify } from "@switchyard/linux";
import type { Container, Exec } from "dockerode";
import { checkCommand, NOT_FOUND } from "../streams/spawn.ts";
import type { ExecOptions, ExecStreams } from "../types.ts";
import { Demultiplexer } from "./stream.ts";

/** Milliseconds that the engine gets to note the exit code after the streams have ended. */
const EXIT_CODE_WAIT = 5_000;
const NOT_FOUND_TEXT = /executable file not found|no such file or directory/;

/**
 * Runs a command in a container over a hijacked connection.
 *
 * @returns the exit code
 * @throws YardError `runtime.exec-failed`, and what the client library throws
 */
export async function execInDocker(
  container: Container,
  local: boolean,
  options: ExecOptions,
  streams: ExecStreams,
): Promise<number> {
  const command = checkCommand(options.command);
  const exec = await container.exec({
    Cmd: [...command],
    Tty: options.tty,
    AttachStdin: streams.stdin !== undefined,
    AttachStdout: true,
    AttachStderr: true,
    Env: Object.entries({ ...(options.tty ? { TERM: process.env.TERM ?? "xterm" } : {}), ...options.env }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    ...(options.user === undefined ? {} : { User: options.user }),
    ...(options.workdir === undefined ? {} : { WorkingDir: options.workdir }),
  });
  const connection = await exec.start({ hijack: true, stdin: true, Tty: options.tty });
  const { stdin, size } = streams;
  let said = "";
  const demultiplexer = new Demultiplexer(streams);
  connection.on("data", (chunk: Buffer) => {
    if (said.length < 4_096) said += chunk.toString("latin1");
    if (options.tty) streams.stdout.write(chunk);
    else demultiplexer.push(chunk);
  });
  const resize = (columns: number, rows: number) => {
    // The command may have ended meanwhile: then there is nothing to resize.
    exec.resize({ w: columns, h: rows }).catch(() => undefined);
  };
  if (size !== undefined && options.tty) {
    resize(size.columns, size.rows);
    size.onChange(resize);
  }
  const abort = () => {
    void endExec(exec, local)
      .catch(() => undefined)
      .finally(() => connection.destroy());
  };
  options.signal?.addEventListener("abort", abort, { once: true });
  if (options.signal?.aborted) abort();
  try {
    stdin?.pipe(connection);
    // A connection that we end ourselves is closed without an end.
    await Promise.race([once(connection, "end"), once(connection, "close")]);
  } finally {
    options.signal?.removeEventListener("abort", abort);
    stdin?.unpipe(connection);
    stdin?.pause();
    connection.end();
  }
  options.signal?.throwIfAborted();
  const code = await exitCode(exec);
  return code === 126 && NOT_FOUND_TEXT.test(said) && said.includes("OCI runtime exec failed") ? NOT_FOUND : code;
}

/** The API has no signal for a command; on the same host it is a process like any other. */
async function endExec(exec: Exec, local: boolean): Promise<void> {
  if (!local) return;
  const until = performance.now() + EXIT_CODE_WAIT;
  for (const wait of backoff(5, 200)) {
    const { Pid, Running } = await exec.inspect();
    // It runs before the engine tells its pid.
    const process = Pid > 0 ? identify(Pid) : undefined;
    if (process !== undefined) return endProcess(process, 0);
    if ((!Running && Pid > 0) || performance.now() > until) return;
    await delay(wait);
  }
}

/** The streams end a moment before the engine knows the code, and it offers no event for that: asked with back-off. */
async function exitCode(exec: Exec): Promise<number> {
  const until = performance.now() + EXIT_CODE_WAIT;
  for (const wait of backoff(5, 200)) {
    const { Running, ExitCode } = await exec.inspect();
    if (!Running && ExitCode !== null) return ExitCode;
    if (performance.now() > until) break;
    await delay(wait);
  }
  throw new YardError("runtime.exec-failed", "Docker does not tell how the command ended");
}
