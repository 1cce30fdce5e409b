import { once } from "node:events";
import { constants } from "node:os";
import { YardError } from "@switchyard/base";
import type { ExecStreams } from "../types.ts";
import type { Program } from "./program.ts";

/** Milliseconds that what is still in the terminal gets to arrive after the program has ended. */
const DRAIN = 200;
/** The terminal's end-of-file character (VEOF of termios(3)): how the end of standard input is told to a terminal. */
const END_OF_FILE = "\x04";

/**
 * Runs a program as the session leader of a new pseudo-terminal: what is typed goes through its line discipline, so
 * that Ctrl-C becomes SIGINT for the foreground process. @returns as `spawnInteractive`
 */
export async function spawnOnTerminal(program: Program, streams: ExecStreams): Promise<number> {
  const { stdin, stdout, size } = streams;
  const closed = Promise.withResolvers<void>();
  const child = start(program, {
    cols: size?.columns ?? 80,
    rows: size?.rows ?? 24,
    data: (_terminal, data) => {
      // The buffer is the terminal's own and is used again.
      stdout.write(Buffer.from(data));
    },
    exit: () => closed.resolve(),
  });
  const { terminal } = child;
  if (terminal === undefined) throw new YardError("runtime.exec-failed", "there is no pseudo-terminal to be had");
  await using _terminal = terminal;
  size?.onChange((columns, rows) => {
    if (!terminal.closed) terminal.resize(columns, rows);
  });
  const type = (chunk: Buffer | string) => {
    if (!terminal.closed) terminal.write(chunk);
  };
  const endOfInput = () => type(END_OF_FILE);
  const abort = () => {
    if (program.abort !== undefined) program.abort(child.pid);
    else child.kill("SIGKILL");
  };
  stdin?.on("data", type);
  stdin?.once("end", endOfInput);
  program.signal?.addEventListener("abort", abort, { once: true });
  try {
    await child.exited;
    await Promise.race([closed.promise, Bun.sleep(DRAIN)]);
    if (stdout.writable && "writableNeedDrain" in stdout && stdout.writableNeedDrain === true)
      await once(stdout, "drain", { signal: AbortSignal.timeout(DRAIN) }).catch(() => undefined);
  } finally {
    program.signal?.removeEventListener("abort", abort);
    stdin?.removeListener("data", type);
    stdin?.removeListener("end", endOfInput);
    stdin?.pause();
  }
  program.signal?.throwIfAborted();
  const { exitCode, signalCode } = child;
  return exitCode ?? 128 + (typeof signalCode === "string" ? constants.signals[signalCode] : (signalCode ?? 0));
}

/** Only a terminal that is made together with the process becomes its controlling terminal (Bun 1.4). */
function start(program: Program, terminal: Bun.TerminalOptions) {
  try {
    return Bun.spawn([...program.argv], {
      terminal,
      env: { ...program.env },
      ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new YardError("runtime.exec-failed", `${program.argv[0]} could not be started: ${reason}`, { cause });
  }
}
