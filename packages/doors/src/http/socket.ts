/** WebSockets: what is at our end of one, and writing to it no faster than its reader reads. */
import { PassThrough, Writable } from "node:stream";
import { YardError } from "@switchyard/base";
import type { ServerWebSocket } from "bun";
import { z } from "zod";
import { problemOf } from "./problem.ts";

/** Bytes of input that wait for a reader who is slow. */
const MOST_INPUT = 8 << 20;

/** What talks to a client over a WebSocket. */
export interface Conversation {
  /** Lasts as long as the conversation. @returns what it has come to, which is told at the end */
  run(peer: Peer): Promise<object>;
}

/** What is kept with a WebSocket. */
export interface SocketData {
  readonly conversation: Conversation;
  readonly peer: Peer;
  /** Told once it has ended. */
  readonly ended: (outcome: { readonly code?: string; readonly note?: string }) => void;
}

export type Socket = ServerWebSocket<SocketData>;

const controlSchema = z.union([
  z.strictObject({ resize: z.strictObject({ columns: z.int().min(1).max(10_000), rows: z.int().min(1).max(10_000) }) }),
  z.strictObject({ end: z.literal(true) }),
]);

/** The other end of a WebSocket. Binary messages are input; texts are JSON: `{"resize": …}`, `{"end": true}`. */
export class Peer {
  readonly #gone = new AbortController();
  readonly #input = new PassThrough({ highWaterMark: MOST_INPUT });
  readonly #resizes = new Set<(columns: number, rows: number) => void>();
  #socket: Socket | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  /** Resolves when the conversation is over, and told of. */
  readonly over = Promise.withResolvers<void>();

  /** Aborts when the client leaves. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** What the client sends. */
  get input(): NodeJS.ReadableStream {
    return this.#input;
  }

  onResize(listener: (columns: number, rows: number) => void): void {
    this.#resizes.add(listener);
  }

  opened(socket: Socket): void {
    this.#socket = socket;
  }

  /** Sends bytes; resolves when more may be sent. What is sent to one who has left goes nowhere. */
  async send(bytes: Uint8Array): Promise<void> {
    // -1: the client has not read what was sent before.
    if (this.#socket?.sendBinary(bytes) !== -1) return;
    this.#drained ??= Promise.withResolvers<void>();
    await this.#drained.promise;
  }

  tell(message: object): void {
    this.#socket?.sendText(JSON.stringify(message));
  }

  drained(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  received(message: string | Buffer): void {
    if (typeof message !== "string") {
      if (this.#input.writableEnded) return;
      this.#input.write(Buffer.from(message));
      if (this.#input.writableLength > MOST_INPUT)
        this.close(1009, new YardError("http.too-fast", "input came faster than it was read"));
      return;
    }
    const control = controlSchema.safeParse(parseJson(message));
    if (!control.success) this.close(1007, control.error);
    else if ("end" in control.data) this.#input.end();
    else for (const listener of this.#resizes) listener(control.data.resize.columns, control.data.resize.rows);
  }

  left(): void {
    this.#gone.abort();
    this.drained();
    this.#input.end();
  }

  /** Says why, and closes. */
  close(code: number, error?: unknown): void {
    if (error !== undefined) this.tell({ error: problemOf(error) });
    this.#socket?.close(code);
    this.left();
  }

  /** A stream to the client, each message of which begins with `mark`. */
  writable(mark: number): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        const message = Buffer.allocUnsafe(chunk.length + 1);
        message[0] = mark;
        message.set(chunk, 1);
        this.send(message).then(() => done(), done);
      },
    });
  }
}

/** What Bun calls of a WebSocket. */
export const handlers = {
  maxPayloadLength: 1 << 20,
  backpressureLimit: 64 << 20,
  closeOnBackpressureLimit: true,
  /** Seconds; a terminal may be left alone for longer, but is asked for life. */
  idleTimeout: 120,
  sendPings: true,
  perMessageDeflate: false,
  open(socket: Socket): void {
    void converse(socket);
  },
  message(socket: Socket, message: string | Buffer): void {
    socket.data.peer.received(message);
  },
  drain(socket: Socket): void {
    socket.data.peer.drained();
  },
  close(socket: Socket): void {
    socket.data.peer.left();
  },
};

async function converse(socket: Socket): Promise<void> {
  const { conversation, peer, ended } = socket.data;
  peer.opened(socket);
  let how: Parameters<typeof ended>[0];
  try {
    const outcome = await conversation.run(peer);
    peer.tell(outcome);
    socket.close(1000);
    how = { note: JSON.stringify(outcome) };
  } catch (error) {
    if (!peer.gone.aborted) peer.close(1011, error);
    how = { code: problemOf(error).code };
  }
  ended(how);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
