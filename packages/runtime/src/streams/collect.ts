import { Writable } from "node:stream";

/** What was written to a stream, as text. */
export interface Collected {
  readonly stream: Writable;
  /** All until now. */
  text(): string;
}

/** A stream for output that is looked at as a whole. @param onText called after each piece */
export function collectText(onText?: (text: string) => void): Collected {
  const chunks: Buffer[] = [];
  // A character may be parted between two pieces.
  const text = () => Buffer.concat(chunks).toString("utf8");
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      onText?.(text());
      done();
    },
  });
  return { stream, text };
}
