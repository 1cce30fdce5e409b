import { spawn } from "node:child_process";
import { constants } from "node:os";
import { YardError } from "@switchyard/base";
import type { ExecStreams } from "../types.ts";
import type { Program } from "./spawn.ts";

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
    child.on("close", (code, signal) => {
      settle();
      if (program.signal?.aborted) reject(program.signal.reason);
      else resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
