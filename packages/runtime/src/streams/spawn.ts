import { YardError } from "@switchyard/base";
import type { ExecStreams } from "../types.ts";
import { spawnOnPipes } from "./pipes.ts";
import type { Program } from "./program.ts";
import { spawnOnTerminal } from "./terminal.ts";

/**
 * Runs a program with its streams joined to the caller's, on a pseudo-terminal or on pipes.
 *
 * @returns its exit code; 128 + n when signal n ended it
 * @throws YardError `runtime.exec-failed` when the program cannot be started
 */
export function spawnInteractive(program: Program, tty: boolean, streams: ExecStreams): Promise<number> {
  program.signal?.throwIfAborted();
  return tty ? spawnOnTerminal(program, streams) : spawnOnPipes(program, streams);
}

/** The shell's convention: 127 when there is no such program, 126 when it cannot be executed. */
export const NOT_FOUND = 127;
export const NOT_EXECUTABLE = 126;

/** Says why a command could not be run, where the caller looks: on a terminal there is only one stream. */
export function complain(streams: ExecStreams, tty: boolean, text: string): void {
  if (tty) streams.stdout.write(`${text}\r\n`);
  else streams.stderr.write(`${text}\n`);
}

/** @throws YardError `runtime.bad-command` */
export function checkCommand(command: readonly string[]): readonly [string, ...string[]] {
  const [program, ...args] = command;
  if (program === undefined || program === "" || command.some((word) => word.includes("\0")))
    throw new YardError("runtime.bad-command", "a command needs a program, and no word of it may hold a NUL byte");
  return [program, ...args];
}
