import type { ExecStreams } from "../types.ts";

const HEADER = 8;

/**
 * Takes apart what Docker multiplexes on one connection when there is no terminal: frames of one byte stream number,
 * three zero bytes, a length in network order, and content (Docker Engine API, ContainerAttach).
 */
export class Demultiplexer {
  readonly #out: Pick<ExecStreams, "stdout" | "stderr">;
  #header = Buffer.alloc(0);
  #left = 0;
  #toError = false;

  constructor(out: Pick<ExecStreams, "stdout" | "stderr">) {
    this.#out = out;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left === 0) {
        const part = chunk.subarray(at, at + HEADER - this.#header.length);
        this.#header = Buffer.concat([this.#header, part]);
        at += part.length;
        if (this.#header.length < HEADER) return;
        this.#toError = this.#header[0] === 2;
        this.#left = this.#header.readUInt32BE(4);
        this.#header = Buffer.alloc(0);
        continue;
      }
      const content = chunk.subarray(at, at + this.#left);
      at += content.length;
      this.#left -= content.length;
      (this.#toError ? this.#out.stderr : this.#out.stdout).write(content);
    }
  }
}
