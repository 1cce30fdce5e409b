import { isObject } from "./json.ts";
import type { Rpc } from "./rpc.ts";

/** A lock that this client has asked the server for (RFC 7047 section 4.1.8). */
export interface Lock extends AsyncDisposable {
  readonly name: string;
  /** Whether this client has it now. Without a connection nobody can know, so: no. */
  readonly held: boolean;
  /** Calls back when it is taken or lost; after a loss it is asked for again, at the end of the queue. */
  subscribe(listener: (held: boolean) => void): Disposable;
  /** Resolves when the lock is held. */
  acquired(options?: { readonly signal?: AbortSignal; readonly timeout?: number }): Promise<void>;
  /** Gives it back. */
  release(): Promise<void>;
}

/** A lock's state over all connections. */
export class LockState {
  held = false;
  #asked: Rpc | undefined;
  readonly listeners = new Set<(held: boolean) => void>();
  constructor(
    readonly name: string,
    private steal: boolean,
  ) {}

  /** Asks for it, once on each connection. Only the first time may take it away from another client. */
  request(rpc: Rpc): void {
    if (this.#asked === rpc) return;
    this.#asked = rpc;
    const method = this.steal ? "steal" : "lock";
    this.steal = false;
    rpc.send(method, [this.name], (reply) => {
      if (reply.kind === "result" && isObject(reply.result) && reply.result.locked === true) this.set(true);
      else if (reply.kind === "error") rpc.close(new Error(`${method} ${this.name}: ${reply.text}`));
    });
  }

  set(held: boolean): void {
    if (this.held === held) return;
    this.held = held;
    for (const listener of [...this.listeners]) listener(held);
  }
}
