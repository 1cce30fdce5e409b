import { closeSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { type ChangedNames, watchFolder } from "@switchyard/linux";
import type { ExecStreams } from "../types.ts";

/** One line of a log in the format of Kubernetes' CRI: `<time> <stream> <F|P> <text>`; P is continued. */
export interface LogLine {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** @returns undefined for what is no line of such a log */
export function parseLogLine(line: string): LogLine | undefined {
  const match = /^\S+ (stdout|stderr) ([FP]) (.*)$/s.exec(line);
  if (match === null) return undefined;
  const [, stream, tag, text = ""] = match;
  return { stream: stream === "stderr" ? "stderr" : "stdout", text: tag === "F" ? `${text}\n` : text };
}

/**
 * Writes a container's log out, its last `tail` lines or all, and with `follow` what is added until `ended` resolves
 * or the signal aborts.
 */
export async function writeLog(
  path: string,
  options: { follow: boolean; tail?: number; signal?: AbortSignal },
  ended: Promise<void>,
  out: ExecStreams,
): Promise<void> {
  const reader = new LogReader(path);
  let lines = reader.read();
  if (options.tail !== undefined) lines = lastLines(lines, options.tail);
  emit(lines, out);
  if (!options.follow) return;
  const stop = Promise.withResolvers<void>();
  const read = () => emit(reader.read(), out);
  // conmon replaces the file when it has become too large: the folder is watched, not the file.
  const [folder, file] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1)];
  const changed = (names: ChangedNames) => {
    if (names === undefined || names.has(file)) read();
  };
  using _watch = watchFolder(folder, changed, { writes: true });
  const aborted = () => stop.resolve();
  options.signal?.addEventListener("abort", aborted, { once: true });
  try {
    if (options.signal?.aborted) return;
    // What came between the first reading and the watch.
    read();
    await Promise.race([stop.promise, ended]);
    read();
  } finally {
    options.signal?.removeEventListener("abort", aborted);
  }
}

function emit(lines: readonly LogLine[], out: ExecStreams): void {
  for (const { stream, text } of lines) out[stream].write(text);
}

/** The last `count` lines, of which one may have been written in several parts. */
function lastLines(lines: readonly LogLine[], count: number): LogLine[] {
  let from = lines.length;
  for (let left = count; from > 0; from--) {
    if (lines[from - 1]?.text.endsWith("\n") && left-- === 0) break;
  }
  return lines.slice(from);
}

/** Reads a file on from where it was left. */
class LogReader {
  readonly #path: string;
  #position = 0;
  #inode: number | undefined;
  #decoder = new StringDecoder("utf8");
  #rest = "";

  constructor(path: string) {
    this.#path = path;
  }

  read(): LogLine[] {
    const stat: Stats | undefined = statSync(this.#path, { throwIfNoEntry: false });
    if (stat === undefined) return [];
    if (stat.ino !== this.#inode || stat.size < this.#position) {
      this.#inode = stat.ino;
      this.#position = 0;
      this.#rest = "";
      this.#decoder = new StringDecoder("utf8");
    }
    const fd = openSync(this.#path, "r");
    try {
      const buffer = Buffer.allocUnsafe(64 * 1024);
      for (;;) {
        const length = readSync(fd, buffer, 0, buffer.length, this.#position);
        if (length === 0) break;
        this.#position += length;
        this.#rest += this.#decoder.write(buffer.subarray(0, length));
      }
    } finally {
      closeSync(fd);
    }
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => parseLogLine(line) ?? []);
  }
}
