/** Answers that go on: bytes to a client, no faster than it reads. */
import { Writable } from "node:stream";

/** Our end of an answer. */
interface Stream {
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal;
  /** Resolves once something was sent, or nothing has come for a moment: the answer can begin. */
  readonly begun: Promise<void>;
  /** Resolves when more may be sent. */
  send(bytes: Uint8Array): Promise<void>;
  writable(): Writable;
  end(): void;
  fail(error: unknown): void;
}

/** Milliseconds after which an answer without content begins. */
const SILENCE = 200;
/** Bytes that wait for a client. */
const MOST = 1 << 20;

/** A body to answer with, and our end of it. */
export function streamOf(gone: AbortSignal): { readonly stream: Stream; readonly body: ReadableStream<Uint8Array> } {
  const left = new AbortController();
  const begun = Promise.withResolvers<void>();
  const timer = setTimeout(begun.resolve, SILENCE);
  let wanted = Promise.withResolvers<void>();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let over = false;
  const close = (how: () => void) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    begun.resolve();
    wanted.resolve();
    how();
  };
  const leave = () => close(() => left.abort());
  gone.addEventListener("abort", leave, { once: true });
  const body = new ReadableStream<Uint8Array>(
    {
      start: (made) => {
        controller = made;
      },
      pull: () => wanted.resolve(),
      cancel: leave,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MOST }),
  );
  const send = async (bytes: Uint8Array) => {
    if (over) return;
    controller?.enqueue(Uint8Array.from(bytes));
    begun.resolve();
    if ((controller?.desiredSize ?? 1) > 0) return;
    wanted = Promise.withResolvers<void>();
    await wanted.promise;
  };
  return {
    body,
    stream: {
      gone: left.signal,
      begun: begun.promise,
      send,
      writable: () =>
        new Writable({ write: (chunk: Buffer, _encoding, done) => void send(chunk).then(() => done(), done) }),
      end: () => close(() => controller?.close()),
      fail: (error) => close(() => controller?.error(error)),
    },
  };
}
