/** Commands on the serial console, for guests without an agent: typed to the shell that sits there, its answer read. */
import { randomUUID } from "node:crypto";
import { deadline, YardError } from "@switchyard/base";
import { type ProcessId, watchExit, watchFile } from "@switchyard/linux";
import { checkCommand } from "../streams/spawn.ts";
import type { ExecOptions, ExecStreams } from "../types.ts";
import { LogReader, typeOnce } from "./console.ts";
import type { MachinePaths } from "./paths.ts";

/** Milliseconds in which a shell that sits at the console begins. */
const PATIENCE = 5_000;
/** A terminal takes no longer line (N_TTY_BUF_SIZE of drivers/tty/n_tty.c, less what a line editor may add). */
export const LONGEST = 1_000;
export const INTERRUPT = "\x03";

/**
 * Runs a command by the shell at the guest's console, as whoever is logged in there. Its output comes when it has ended,
 * that on both streams in one.
 *
 * @param name for messages
 * @param input what it reads, a file of the guest's
 * @returns its exit code
 * @throws YardError `vm.console-no-shell`, `vm.console-failed`, `vm.exec-unsupported`, `vm.ended`, `runtime.bad-command`, the
 * signal's reason
 */
export async function execOnConsole(
  machine: MachinePaths,
  name: string,
  process: ProcessId,
  options: ExecOptions,
  streams: ExecStreams,
  input = "/dev/null",
): Promise<number> {
  refuseOnConsole(options);
  const typed = (mark: string) => lineOf(mark, options, input);
  const { said, code } = await askConsole(machine, name, process, typed, options.signal);
  streams.stdout.write(said);
  return code;
}

/** @throws YardError `vm.exec-unsupported` */
export function refuseOnConsole({ tty, user }: Pick<ExecOptions, "tty" | "user">): void {
  if (!tty && user === undefined) return;
  const what = tty ? "a terminal" : "another user";
  throw new YardError("vm.exec-unsupported", `a command on the console cannot be given ${what}`, {
    hint: `sit down at it: yard console; or install the guest agent`,
  });
}

/**
 * Has the shell at the guest's console do something, and waits until it has.
 *
 * @param typed what is typed: it prints, each on a line of its own, the mark with `-begin` before, and the mark with
 * `-end` and an exit code after what is wanted
 * @returns what was said between the two
 * @throws YardError `vm.console-no-shell`, `vm.console-failed`, `vm.ended`, the signal's reason
 */
export async function askConsole(
  machine: MachinePaths,
  name: string,
  process: ProcessId,
  typed: (mark: string) => string,
  signal: AbortSignal | undefined,
): Promise<{ readonly said: Buffer; readonly code: number }> {
  const mark = `SY${randomUUID().slice(0, 8)}`;
  const text = typed(mark);
  signal?.throwIfAborted();
  const log = new LogReader(machine.consoleLog, 0);
  const ended = Promise.withResolvers<string>();
  const begun = Promise.withResolvers<void>();
  let said = "";
  const read = () => {
    log.read((chunk) => {
      said += chunk.toString("latin1");
    });
    if (said.includes(`\n${mark}-begin`)) begun.resolve();
    if (new RegExp(`\n${mark}-end \\d+\r?\n`).test(said)) ended.resolve(said);
  };
  using _exit = watchExit(process, () => ended.reject(new YardError("vm.ended", `${name} ended meanwhile`)));
  using _log = watchFile(machine.consoleLog, read);
  using late = deadline(PATIENCE, "vm.console-no-shell", `no shell answers at the console of ${name}`, signal);
  const given = Promise.withResolvers<never>();
  late.addEventListener("abort", () => given.reject(noShell(late.reason)), { once: true });
  // It may be rejected when nobody listens any more.
  for (const promise of [given.promise, ended.promise]) promise.catch(() => undefined);
  await typeOnce(machine.console, Buffer.from(`${text}\n`));
  read();
  await Promise.race([begun.promise, ended.promise, given.promise]);
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => undefined);
  const stop = () => {
    void typeOnce(machine.console, Buffer.from(INTERRUPT)).catch(() => undefined);
    stopped.reject(signal?.reason);
  };
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return told(await Promise.race([ended.promise, stopped.promise]), mark);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function lineOf(mark: string, options: ExecOptions, input: string): string {
  const env = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const words = [...(env.length === 0 ? [] : ["env", ...env]), ...checkCommand(options.command)];
  if (words.some((word) => word.includes("\n") || word.includes("\r")))
    throw new YardError("vm.exec-unsupported", "a word of a command on the console cannot hold a line break");
  const folder = options.workdir === undefined ? "" : `cd ${quoted(options.workdir)} && `;
  const command = `(${folder}${words.map(quoted).join(" ")}) <${input}`;
  const line = ` ${beginning(mark)}; ${command}; ${ending(mark)}`;
  if (Buffer.byteLength(line) > LONGEST)
    throw new YardError("vm.exec-unsupported", `a command on the console has at most ${LONGEST} bytes`);
  return line;
}

/** The echo of what is typed has the mark in two words, so that it is not taken for the answer. */
export const beginning = (mark: string) => `printf '\\n%s%s\\n' ${mark} -begin`;
export const ending = (mark: string) => `printf '\\n%s%s %d\\n' ${mark} -end $?`;

/** A word for the guest's shell. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** What was said between the marks, and the exit code. */
function told(said: string, mark: string): { readonly said: Buffer; readonly code: number } {
  const lines = said.replaceAll("\r\n", "\n");
  const from = lines.indexOf(`\n${mark}-begin\n`) + `\n${mark}-begin\n`.length;
  const to = lines.indexOf(`\n${mark}-end `, from - 1);
  const code = Number(/ (\d+)/.exec(lines.slice(to))?.[1] ?? 1);
  return { said: Buffer.from(lines.slice(from, Math.max(from, to)), "latin1"), code };
}

function noShell(reason: unknown): unknown {
  if (!(reason instanceof YardError) || reason.code !== "vm.console-no-shell") return reason;
  return new YardError(reason.code, reason.message, {
    hint: "log in there (`yard console NODE`), install the guest agent, or go by ssh: yard exec --ssh USER",
  });
}
