import { backoff } from "@switchyard/base";
import { Connection, type ConnectionEvents, type ConnectionGoal, type Position, startPosition } from "./connection.ts";
import { ClosedError, ConnectError, OvsdbError } from "./errors.ts";
import type { Json } from "./json.ts";
import { LockState } from "./lock.ts";
import type { Reply } from "./rpc.ts";
import { connect, parseRemotes, type Remote, type TlsFiles } from "./transport.ts";

/** How to reach and keep a server. */
export interface SessionOptions {
  /** Remotes as ovsdb(7) writes them, separated by commas: `unix:/run/db.sock`, `tcp:10.0.0.1:6640`, `ssl:[::1]:6640`. */
  readonly remote: string;
  /** Try the remotes in a random order, so that clients spread over a cluster; on by default. */
  readonly shuffle?: boolean;
  readonly tls?: TlsFiles;
  /** Of a cluster take the leader only: its state is the newest. On by default, as with Open vSwitch's clients. */
  readonly leaderOnly?: boolean;
  /** The cluster that must be meant, where several have a database of one name. */
  readonly clusterId?: string;
  /** Milliseconds of silence before the server is asked for life, and again before it is given up; 0 for never.
   * By default 5,000, and 0 over unix sockets, where the kernel tells at once. */
  readonly probeInterval?: number;
  /** Milliseconds for connecting to one remote; 5,000 by default. */
  readonly connectTimeout?: number;
  /** Milliseconds before the second attempt, doubled up to `most`; 100 and 8,000 by default. */
  readonly backoff?: { readonly first: number; readonly most: number };
}

/** What a session tells beyond what each of its connections does. */
export interface SessionEvents extends Omit<ConnectionEvents, "ended" | "lock" | "waiting" | "synced"> {
  synced(): void;
  lost(cause: Error): void;
}

/** Keeps a connection to one of the remotes that is fit, for as long as it is not closed. */
export class Session {
  readonly #options: SessionOptions;
  readonly #database: string;
  readonly #remotes: readonly Remote[];
  readonly #events: SessionEvents;
  readonly #closing = new AbortController();
  readonly #locks = new Map<string, LockState>();
  readonly position: Position = startPosition();
  #connection: Connection | undefined;
  #remote: Remote | undefined;
  #wake: (() => void) | undefined;
  /** Why there is no connection, as far as known. */
  problem: Error = new ConnectError("not connected yet");

  /** @throws BadRemoteError */
  constructor(database: string, options: SessionOptions, events: SessionEvents) {
    this.#options = options;
    this.#database = database;
    this.#events = events;
    const remotes = [...parseRemotes(options.remote)];
    this.#remotes = options.shuffle === false ? remotes : shuffled(remotes);
  }

  /** Begins; from then on it tells by its events. */
  start(): void {
    void this.#run();
  }

  /** The connection whose server the replica follows, if there is one now. */
  get current(): Connection | undefined {
    return this.#connection?.monitoring ? this.#connection : undefined;
  }

  /** The remote that is connected. */
  get remote(): string | undefined {
    return this.current === undefined ? undefined : this.#remote?.text;
  }

  /** Sends a request on the current connection; `undefined` and nothing sent without one. */
  send(method: string, params: readonly Json[], answered: (reply: Reply) => void): (() => void) | undefined {
    const rpc = this.current?.rpc;
    if (rpc === undefined) return undefined;
    const id = rpc.send(method, params, answered);
    return () => rpc.cancel(id);
  }

  /** Drops the connection and looks for a server again, at once. */
  reconnect(reason: string): void {
    this.#connection?.rpc.close(new ConnectError(reason));
  }

  /** Asks for a lock, now and on every later connection. */
  lock(name: string, steal: boolean): LockState | undefined {
    if (this.#locks.has(name)) return undefined;
    const lock = new LockState(name, steal);
    this.#locks.set(name, lock);
    if (this.current !== undefined) lock.request(this.current.rpc);
    return lock;
  }

  /** Gives a lock back; resolves when the server knows, or cannot be told. */
  unlock(lock: LockState): Promise<void> {
    if (this.#locks.get(lock.name) === lock) this.#locks.delete(lock.name);
    lock.set(false);
    return new Promise((resolve) => {
      const rpc = this.#connection?.rpc;
      if (rpc === undefined) resolve();
      else rpc.send("unlock", [lock.name], () => resolve());
    });
  }

  close(): void {
    this.#closing.abort(new ClosedError());
    this.#connection?.rpc.close(new ClosedError());
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let delays = this.#delays();
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      let good = false;
      for (const remote of this.#remotes) {
        if (closing.aborted) return;
        const began = performance.now();
        good = await this.#use(remote);
        if (!good) continue;
        delays = this.#delays();
        // A good connection's end is no reason to wait, unless its server makes a habit of it.
        if (performance.now() - began < 1_000) good = false;
      }
      if (!good) await this.#pause(delays.next().value);
    }
  }

  #delays(): Generator<number, never> {
    const { first, most } = this.#options.backoff ?? { first: 100, most: 8_000 };
    return backoff(first, most);
  }

  /** Lives through one connection; whether it was a good one. */
  async #use(remote: Remote): Promise<boolean> {
    const limit = AbortSignal.timeout(this.#options.connectTimeout ?? 5_000);
    let good = false;
    try {
      // A passive remote waits for its caller as long as it takes.
      const passive = remote.kind.startsWith("p");
      const closing = this.#closing.signal;
      const transport = await connect(remote, this.#options.tls, passive ? closing : AbortSignal.any([closing, limit]));
      const cause = await new Promise<Error>((ended) => {
        this.#remote = remote;
        this.problem = new ConnectError(`${remote.text} has taken the connection and not answered yet`);
        this.#connection = new Connection(transport, this.#goal(remote), this.position, {
          monitorRequests: (served) => this.#events.monitorRequests(served),
          snapshot: (format, tables) => this.#events.snapshot(format, tables),
          update: (format, tables) => this.#events.update(format, tables),
          desynced: (reason) => this.#events.desynced(reason),
          synced: (connection) => {
            for (const lock of this.#locks.values()) lock.request(connection.rpc);
            good = true;
            this.#events.synced();
          },
          lock: (name, held) => this.#locks.get(name)?.set(held),
          waiting: (problem) => {
            this.problem = problem;
          },
          ended: (_, reason) => ended(reason),
        });
      });
      this.#lost(cause, good);
    } catch (error) {
      if (limit.aborted)
        this.problem = new ConnectError(`${remote.text} did not take the connection in time`, { cause: error });
      else this.problem = error instanceof Error ? error : new Error(String(error));
    }
    return good;
  }

  #lost(cause: Error, good: boolean): void {
    this.#connection = undefined;
    this.problem =
      cause instanceof OvsdbError ? cause : new ConnectError(`the connection was lost: ${cause.message}`, { cause });
    for (const lock of this.#locks.values()) lock.set(false);
    if (good) this.#events.lost(this.problem);
  }

  #goal(remote: Remote): ConnectionGoal {
    return {
      database: this.#database,
      cid: this.#options.clusterId,
      leaderOnly: this.#options.leaderOnly ?? true,
      probeInterval: this.#options.probeInterval ?? (remote.kind.endsWith("unix") ? 0 : 5_000),
      alternatives: this.#remotes.length > 1,
    };
  }

  #pause(milliseconds: number): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
