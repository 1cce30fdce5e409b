import { ProtocolError, RequestRefusedError } from "./errors.ts";
import { Framer } from "./framer.ts";
import { isArray, isObject, type Json, type JsonObject, stringifyJson } from "./json.ts";
import type { Transport } from "./transport.ts";

/** What a request came to: its result, the server's error, or the end of the connection before either. */
export type Reply =
  | { readonly kind: "result"; readonly result: Json }
  | { readonly kind: "error"; readonly error: string; readonly text: string }
  | { readonly kind: "lost"; readonly cause: Error };

/** Hears what the peer says of its own accord. */
export interface Peer {
  /** A notification (RFC 7047 section 4.1: `update`, `locked`, `stolen`, and those of ovsdb-server(7)). */
  notified(method: string, params: readonly Json[]): void;
  /** Bytes have come: the peer lives, even when no message is whole yet. */
  heard(): void;
  /** The connection is over; said once, after all requests were answered with `lost`. */
  ended(cause: Error): void;
}

/** JSON-RPC 1.0 over one connection. Replies and notifications are handed on in the order of their bytes. */
export class Rpc {
  readonly #transport: Transport;
  readonly #framer = new Framer();
  readonly #pending = new Map<number, (reply: Reply) => void>();
  readonly #peer: Peer;
  #nextId = 1;
  #ended = false;

  constructor(transport: Transport, peer: Peer) {
    this.#transport = transport;
    this.#peer = peer;
    transport.onData = (chunk) => this.#receive(chunk);
    transport.onClose = (cause) => this.close(cause ?? new Error("the server closed the connection"));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sends a request; `answered` is called in the turn in which its reply is read, before what follows it. */
  send(method: string, params: readonly Json[], answered: (reply: Reply) => void): number {
    const id = this.#nextId++;
    if (this.#ended) answered({ kind: "lost", cause: new Error("not connected") });
    else {
      this.#pending.set(id, answered);
      this.#transport.write(`{"id":${id},"method":"${method}","params":${stringifyJson(params)}}`);
    }
    return id;
  }

  /**
   * Sends a request whose loss is no more than a broken connection.
   *
   * @throws RequestRefusedError; the connection's failure
   */
  request(method: string, params: readonly Json[]): Promise<Json> {
    return new Promise((resolve, reject) => {
      this.send(method, params, (reply) => {
        switch (reply.kind) {
          case "result":
            return resolve(reply.result);
          case "error":
            return reject(new RequestRefusedError(method, reply.error, `${method} was refused: ${reply.text}`));
          case "lost":
            return reject(reply.cause);
        }
      });
    });
  }

  /** RFC 7047 section 4.1.4: `cancel` is a notification; the cancelled request is answered with "canceled". */
  cancel(id: number): void {
    if (!this.#ended && this.#pending.has(id)) this.notify("cancel", [id]);
  }

  notify(method: string, params: readonly Json[]): void {
    if (!this.#ended) this.#transport.write(stringifyJson({ id: null, method, params }));
  }

  /** Ends the connection; what is pending is answered with `lost`. */
  close(cause: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#transport.close();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const answered of pending) answered({ kind: "lost", cause });
    this.#peer.ended(cause);
  }

  #receive(chunk: Uint8Array): void {
    if (this.#ended) return;
    this.#peer.heard();
    try {
      for (const message of this.#framer.push(chunk)) {
        this.#dispatch(message);
        if (this.#ended) return;
      }
    } catch (error) {
      // What cannot be understood must not be half taken in: the next connection starts from a whole state.
      this.close(error instanceof Error ? error : new ProtocolError(String(error)));
    }
  }

  #dispatch(message: Json): void {
    if (!isObject(message)) throw new ProtocolError("the peer sent a message that is no object");
    if (typeof message.method === "string") this.#called(message.method, message);
    else this.#answered(message);
  }

  #called(method: string, message: JsonObject): void {
    const { id, params } = message;
    if (!isArray(params)) throw new ProtocolError(`the peer sent ${method} without params`);
    if (id === null || id === undefined) this.#peer.notified(method, params);
    else if (method === "echo") this.#transport.write(stringifyJson({ id, result: params, error: null }));
    else this.#transport.write(stringifyJson({ id, result: null, error: "unknown method" }));
  }

  #answered(message: JsonObject): void {
    const { id, error, result } = message;
    const answered = typeof id === "number" ? this.#pending.get(id) : undefined;
    if (answered === undefined || typeof id !== "number")
      throw new ProtocolError(`the peer answered request ${stringifyJson(id ?? null)}, which was not asked`);
    this.#pending.delete(id);
    if (error === null || error === undefined) answered({ kind: "result", result: result ?? null });
    else answered({ kind: "error", ...readError(error) });
  }
}

/** An error is a bare string or `{error, details?}` (RFC 7047 section 3.1, and what ovsdb-server really sends). */
export function readError(json: Json): { error: string; text: string } {
  if (typeof json === "string") return { error: json, text: json };
  if (!isObject(json)) return { error: "unknown error", text: stringifyJson(json) };
  const error = typeof json.error === "string" ? json.error : "unknown error";
  const details = typeof json.details === "string" ? json.details : undefined;
  return { error, text: details === undefined ? error : `${error}: ${details}` };
}
