import { spawn } from "node:child_process";
import { constants } from "node:os";
import { YardError } from "@switchyard/base";
import type { ExecStreams } from "../types.ts";
import type { Program } from "./program.ts";

/**
 * Milliseconds of silence after the program's end in which its pipes are still read. What it left in the background
 * may hold them open for ever, and is no reason to wait.
 */
const SILENCE = 300;

/** Runs a program on three pipes. @returns as `spawnInteractive` */
export function spawnOnPipes(program: Program, streams: ExecStreams): Promise<number> {
  const { stdin } = streams;
  const [command, ...args] = program.argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...program.env },
      stdio: [stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
    });
    const abort = () => {
      if (program.abort !== undefined && child.pid !== undefined) program.abort(child.pid);
      else child.kill("SIGKILL");
    };
    program.signal?.addEventListener("abort", abort, { once: true });
    if (child.stdin !== null && stdin !== undefined) {
      // A program may end without having read all; that is its right.
      child.stdin.on("error", () => stdin.unpipe());
      stdin.pipe(child.stdin);
    }
    child.stdout?.pipe(streams.stdout, { end: false });
    child.stderr?.pipe(streams.stderr, { end: false });
    const settle = () => {
      program.signal?.removeEventListener("abort", abort);
      if (child.stdin !== null) stdin?.unpipe(child.stdin);
      stdin?.pause();
    };
    child.on("error", (cause) => {
      settle();
      reject(new YardError("runtime.exec-failed", `${command} could not be started: ${cause.message}`, { cause }));
    });
    let silence: ReturnType<typeof setTimeout> | undefined;
    const finish = (code: number | null, signal: NodeJS.Signals | null) => {
      clearTimeout(silence);
      settle();
      child.stdout?.destroy();
      child.stderr?.destroy();
      if (program.signal?.aborted) reject(program.signal.reason);
      else resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    };
    child.on("exit", (code, signal) => {
      const listen = () => {
        clearTimeout(silence);
        // Output that waits for a slow reader is not silence.
        silence = setTimeout(
          () => (waits(streams.stdout) || waits(streams.stderr) ? listen() : finish(code, signal)),
          SILENCE,
        );
      };
      child.stdout?.on("data", listen);
      child.stderr?.on("data", listen);
      listen();
    });
    child.on("close", finish);
  });
}

function waits(stream: NodeJS.WritableStream): boolean {
  return "writableNeedDrain" in stream && stream.writableNeedDrain === true;
}
