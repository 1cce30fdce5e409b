/**
 * The serial console. QEMU serves one connection to it at a time, and writes all that the guest says to a log: so
 * output is read from the log, by any number of readers, also what was said before they came; and who types connects
 * for the keys that he has typed, and no longer.
 */
import { closeSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { connect } from "node:net";
import { YardError } from "@switchyard/base";
import { type ProcessId, watchExit, watchFile } from "@switchyard/linux";
import type { ExecStreams } from "../types.ts";
import type { MachinePaths } from "./paths.ts";
import type { ConsoleOptions } from "./types.ts";

/** Bytes after which the log begins anew. */
const LOG_MAX = 16 * 1024 * 1024;
/** Milliseconds in which QEMU must take what is typed; a guest that does not read its console may keep it waiting. */
const TYPE_TIMEOUT = 5_000;

/** Empties a log that has become too large. QEMU appends, so it goes on at the beginning. */
export function trimLog(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && stat.size > LOG_MAX) truncateSync(path, 0);
}

/** @returns whether the caller has left or the machine ended @throws YardError `vm.console-failed`, the signal's reason */
export async function attachConsole(
  machine: MachinePaths,
  process: ProcessId,
  options: ConsoleOptions,
  streams: ExecStreams,
): Promise<"left" | "ended"> {
  const { stdin, stdout } = streams;
  const { history = 0, leave, signal } = options;
  signal?.throwIfAborted();
  const over = Promise.withResolvers<"left" | "ended">();
  const aborted = () => over.reject(signal?.reason);
  signal?.addEventListener("abort", aborted, { once: true });
  const log = new LogReader(machine.consoleLog, history);
  const show = () => log.read((chunk) => stdout.write(chunk));
  using _exit = watchExit(process, () => over.resolve("ended"));
  using _log = watchFile(machine.consoleLog, show);
  const keyboard = new Keyboard(machine.console, (error) => over.reject(error));
  const type = (input: Buffer | string) => {
    const keys = Buffer.from(input);
    const end = leave === undefined ? -1 : keys.indexOf(leave);
    keyboard.type(end < 0 ? keys : keys.subarray(0, end));
    if (end >= 0) over.resolve("left");
  };
  stdin?.on("data", type);
  try {
    show();
    const how = await over.promise;
    await keyboard.done();
    show();
    return how;
  } finally {
    stdin?.removeListener("data", type);
    stdin?.pause();
    signal?.removeEventListener("abort", aborted);
  }
}

/** What has been said, or its last lines; with `follow` also what is said until the machine ends or the signal aborts. */
export async function writeConsole(
  machine: MachinePaths,
  process: ProcessId | undefined,
  options: { readonly follow: boolean; readonly tail?: number; readonly signal?: AbortSignal },
  { stdout }: ExecStreams,
): Promise<void> {
  const log = new LogReader(machine.consoleLog, Number.POSITIVE_INFINITY);
  const chunks: Buffer[] = [];
  log.read((chunk) => chunks.push(chunk));
  const said = Buffer.concat(chunks);
  stdout.write(options.tail === undefined ? said : lastLines(said, options.tail));
  if (!options.follow || process === undefined || options.signal?.aborted === true) return;
  const show = () => log.read((chunk) => stdout.write(chunk));
  const over = Promise.withResolvers<void>();
  options.signal?.addEventListener("abort", () => over.resolve(), { once: true });
  using _exit = watchExit(process, () => over.resolve());
  using _log = watchFile(machine.consoleLog, show);
  // What came between the first reading and the watch.
  show();
  await over.promise;
  show();
}

/** The last `count` lines; what follows the last line break is one only if there is something. */
function lastLines(said: Buffer, count: number): Buffer {
  let from = said.length;
  for (let left = count; left > 0 && from > 0; left--) {
    // Line breaks end lines: that of the last one is passed over.
    const end = from - (said[from - 1] === 0x0a ? 2 : 1);
    from = end < 0 ? 0 : said.lastIndexOf(0x0a, end) + 1;
  }
  return said.subarray(from);
}

/** Sends what is typed, in order, on a connection at a time. */
class Keyboard {
  readonly #path: string;
  readonly #failed: (error: unknown) => void;
  #waiting: Buffer[] = [];
  #sending: Promise<void> | undefined;

  constructor(path: string, failed: (error: unknown) => void) {
    this.#path = path;
    this.#failed = failed;
  }

  type(keys: Buffer): void {
    if (keys.length === 0) return;
    this.#waiting.push(keys);
    this.#sending ??= this.#send().catch(this.#failed);
  }

  /** Resolves when all that was typed is with the guest. */
  async done(): Promise<void> {
    await this.#sending;
  }

  async #send(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const keys = Buffer.concat(this.#waiting);
        this.#waiting = [];
        await typeOnce(this.#path, keys);
      }
    } finally {
      this.#sending = undefined;
    }
  }
}

/** Connects, types, and closes our half: QEMU reads to the end, and closes its own when it has. */
export function typeOnce(path: string, keys: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    const timer = setTimeout(
      () =>
        socket.destroy(
          consoleFailed(`it took nothing in ${TYPE_TIMEOUT} ms: somebody else has it, or the guest does not read`),
        ),
      TYPE_TIMEOUT,
    );
    socket.on("error", (error: Error & { code?: string }) => {
      clearTimeout(timer);
      // The machine is ending, which is told otherwise.
      if (["ECONNRESET", "EPIPE", "ECONNREFUSED", "ENOENT"].includes(error.code ?? "")) resolve();
      else reject(error instanceof YardError ? error : consoleFailed(error.message, error));
    });
    // What the guest says meanwhile is in the log too.
    socket.on("data", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.on("end", () => socket.destroy());
    socket.end(keys);
  });
}

function consoleFailed(reason: string, cause?: unknown): YardError {
  return new YardError("vm.console-failed", `the console cannot be typed to: ${reason}`, {
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Reads a file on from where it was left, as bytes: what they mean is the terminal's affair. */
export class LogReader {
  readonly #path: string;
  #position: number;

  constructor(path: string, history: number) {
    this.#path = path;
    this.#position = Math.max(0, (statSync(path, { throwIfNoEntry: false })?.size ?? 0) - history);
  }

  read(show: (chunk: Buffer) => void): void {
    const size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    if (size < this.#position) this.#position = 0;
    if (size === this.#position) return;
    const fd = openSync(this.#path, "r");
    try {
      for (;;) {
        const buffer = Buffer.allocUnsafe(64 * 1024);
        const length = readSync(fd, buffer, 0, buffer.length, this.#position);
        if (length === 0) return;
        this.#position += length;
        show(buffer.subarray(0, length));
      }
    } finally {
      closeSync(fd);
    }
  }
}
