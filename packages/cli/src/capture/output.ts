/** Where a capture is written to: a stream, a file, or a ring of files. */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { extname } from "node:path";
import { errnoOf, YardError } from "@switchyard/base";
import { watchReadable } from "@switchyard/linux";
import type { CaptureOutput } from "@switchyard/yard/capture";

/** A file, which is made anew, or a FIFO, which waits for its reader. @throws YardError `capture.unwritable` */
export function fileOutput(path: string): CaptureOutput {
  try {
    return new FileOutput(openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600), path);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Standard output: a pipe, whose reader may be slow, or the file that a shell has opened. */
export function streamOutput(stream: NodeJS.WriteStream & { readonly fd?: number }): CaptureOutput {
  const { fd } = stream;
  if (fd !== undefined && fstatSync(fd).isFile()) return new FileOutput(fd, "standard output");
  const reader = fd === undefined ? undefined : watchReader(fd);
  return {
    gone: reader?.gone,
    async write(blocks) {
      if (!stream.write(blocks)) await new Promise<void>((resolve) => stream.once("drain", resolve));
    },
    [Symbol.dispose]: () => reader?.[Symbol.dispose](),
  };
}

/** Watches for the reader of a pipe to close it: the one thing that its writing end has to say (EPOLLERR, epoll_ctl(2)). */
function watchReader(fd: number): ({ readonly gone: AbortSignal } & Disposable) | undefined {
  if (!fstatSync(fd).isFIFO()) return undefined;
  const closed = new AbortController();
  const watch = watchReadable(fd, () => {
    watch[Symbol.dispose]();
    closed.abort();
  });
  return { gone: closed.signal, [Symbol.dispose]: () => watch[Symbol.dispose]() };
}

/** A file that never ends within a block, also when the disk is full. */
class FileOutput implements CaptureOutput {
  /** Where the last whole block ends. */
  #end: number;
  readonly #reader: ReturnType<typeof watchReader>;

  constructor(
    private readonly fd: number,
    private readonly path: string,
  ) {
    this.#end = fstatSync(fd).size;
    this.#reader = watchReader(fd);
  }

  get gone(): AbortSignal | undefined {
    return this.#reader?.gone;
  }

  write(blocks: Buffer): void {
    try {
      for (let at = 0; at < blocks.length; ) at += writeSync(this.fd, blocks, at);
      this.#end += blocks.length;
    } catch (cause) {
      if (fstatSync(this.fd).isFile()) ftruncateSync(this.fd, this.#end);
      throw unwritable(this.path, cause);
    }
  }

  [Symbol.dispose](): void {
    this.#reader?.[Symbol.dispose]();
    closeSync(this.fd);
  }
}

/** The last files of a capture that goes on for long: when one is full the next is begun, and the oldest removed. */
export class RingOutput implements CaptureOutput {
  readonly #paths: string[] = [];
  #current: CaptureOutput | undefined;
  #size = 0;
  #last = 0;

  /**
   * @param path the files' name, before whose ending a number is put
   * @param head how every file begins
   */
  constructor(
    private readonly path: string,
    private readonly head: Buffer,
    private readonly limits: { readonly files: number; readonly bytes: number },
  ) {}

  write(blocks: Buffer): void {
    let from = 0;
    for (let at = 0; at < blocks.length; ) {
      const length = blocks.readUInt32LE(at + 4);
      const size = this.#size + at - from;
      // One that is longer than a file may be has a file of its own.
      if (this.#current === undefined || (size + length > this.limits.bytes && size > this.head.length)) {
        this.#append(blocks.subarray(from, at));
        this.#begin();
        from = at;
      }
      at += length;
    }
    this.#append(blocks.subarray(from));
  }

  #append(blocks: Buffer): void {
    if (blocks.length === 0) return;
    void this.#current?.write(blocks);
    this.#size += blocks.length;
  }

  #begin(): void {
    this.#current?.[Symbol.dispose]();
    this.#current = undefined;
    // Before the next is made: there is room for so many.
    while (this.#paths.length >= this.limits.files) rmSync(this.#paths.shift() ?? "", { force: true });
    const path = numbered(this.path, ++this.#last);
    this.#current = fileOutput(path);
    this.#paths.push(path);
    void this.#current.write(this.head);
    this.#size = this.head.length;
  }

  [Symbol.dispose](): void {
    this.#current?.[Symbol.dispose]();
  }
}

/** `trace_00001.pcapng` of `trace.pcapng`. */
export function numbered(path: string, number: number): string {
  const extension = extname(path);
  const stem = extension === "" ? path : path.slice(0, -extension.length);
  return `${stem}_${String(number).padStart(5, "0")}${extension}`;
}

function unwritable(path: string, cause: unknown): YardError {
  const errno = errnoOf(cause);
  if (errno === "ENOSPC" || errno === "EDQUOT")
    return new YardError("capture.disk-full", `there is no room left for ${path}`, {
      hint: "what was written until then can be read; --ring FILES/SIZE keeps only the latest",
      cause,
    });
  return new YardError("capture.unwritable", `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  });
}
