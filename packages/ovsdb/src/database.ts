import {
  BadLockError,
  ClosedError,
  ConflictError,
  ConnectionLostError,
  OutcomeUnknownError,
  type OvsdbError,
  SchemaMismatchError,
  TransactionRefusedError,
  transactionError,
} from "./errors.ts";
import { isArray, type Json } from "./json.ts";
import { Limit, Limits } from "./limit.ts";
import type { Lock } from "./lock.ts";
import { LockHandle } from "./lockhandle.ts";
import { encodeConditions, monitorRequests, type Negotiated, negotiate, type TableRequest } from "./negotiate.ts";
import type { Operation } from "./operation.ts";
import { failureOf, untouched } from "./outcome.ts";
import { Replica, ReplicaTable, type RowChange } from "./replica.ts";
import { tableRequests, tableSchema } from "./request.ts";
import type { Reply } from "./rpc.ts";
import type { DatabaseSchema, Schema } from "./schema.ts";
import { Session } from "./session.ts";
import { TransactionBuilder } from "./transaction.ts";
import type {
  Change,
  Conditions,
  Database,
  DatabaseEvents,
  DatabaseOptions,
  SchemaDifferences,
  Table,
  TableName,
  Transaction,
  TransactOptions,
  WaitOptions,
} from "./types.ts";

/** How long a cancelled transaction's own answer is waited for before its outcome counts as unknown. */
const CANCEL_GRACE = 1_000;

/**
 * Connects to a database and fetches it; keeps both up to date until it is closed.
 *
 * @returns once the first dump is complete
 * @throws BadRemoteError, SchemaMismatchError; ConnectError or UnknownDatabaseError with the last attempt's reason when
 * `timeout` is over; CancelledError
 */
export async function openDatabase<T>(options: DatabaseOptions<T>): Promise<Database<T>> {
  const database = new OpenDatabase<T>(options);
  try {
    await database.opened(options);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

class OpenDatabase<T> implements Database<T> {
  readonly name: string;
  readonly schema: Schema<T>;
  readonly #session: Session;
  readonly #replica: Replica;
  readonly #requests: Map<string, TableRequest>;
  #negotiated: Negotiated;
  #clientUuids: boolean;
  #synced = false;
  #everSynced = false;
  #closed = false;
  /** Grows with each update of the replica. */
  #version = 0;
  readonly #listeners = new Set<(changes: readonly Change<T>[]) => void>();
  readonly #events = new Map<keyof DatabaseEvents, Set<(detail: never) => void>>();
  /** Woken at each change of the replica or of the connection. */
  readonly #waiters = new Set<() => void>();
  readonly #limits = new Limits();

  constructor(options: DatabaseOptions<T>) {
    this.schema = options.schema;
    this.name = options.database ?? options.schema.name;
    this.#clientUuids = options.clientUuids ?? true;
    this.#requests = tableRequests(options);
    this.#negotiated = negotiate(options.schema, options.schema);
    const indexes: { readonly [table: string]: readonly (readonly string[])[] | undefined } = options.indexes ?? {};
    this.#replica = new Replica(
      [...this.#requests].map(
        ([name, { columns }]) => new ReplicaTable(tableSchema(options.schema, name), columns, indexes[name]),
      ),
    );
    this.#session = new Session(this.name, options, {
      monitorRequests: (served) => this.#negotiate(served),
      snapshot: (format, tables) => this.#changed(this.#replica.replace(format, tables, !this.#everSynced)),
      update: (format, tables) => this.#changed(this.#replica.apply(format, tables)),
      synced: () => this.#setSynced(),
      desynced: (reason) => this.#setDesynced(new ConnectionLostError(reason)),
      lost: (cause) => this.#setDesynced(cause),
    });
  }

  get connected(): boolean {
    return this.#synced && this.#session.current !== undefined;
  }

  get remote(): string | undefined {
    return this.#session.remote;
  }

  get differences(): SchemaDifferences {
    return this.#negotiated.differences;
  }

  async opened(options: WaitOptions): Promise<void> {
    using limit = this.#limit("opening the database", options, 30_000);
    this.#session.start();
    try {
      await this.#until(() => this.connected, limit);
    } catch (error) {
      // The reason says more than that time ran out.
      throw options.signal?.aborted || this.#closed ? error : this.#session.problem;
    }
  }

  table<K extends TableName<T>>(name: K): Table<T[K]> {
    const table = this.#replica.tables.get(name);
    if (table === undefined) throw new SchemaMismatchError(`the table ${name} is not monitored`);
    // The replica's rows were decoded by the schema that T was generated from.
    return table as unknown as Table<T[K]>;
  }

  async transact<R>(build: (tx: Transaction<T>) => R | Promise<R>, options: TransactOptions = {}): Promise<R> {
    using limit = this.#limit("the transaction", options, 30_000);
    let conflict: ConflictError | undefined;
    const explained = (error: unknown) =>
      conflict !== undefined && limit.cause === error && !options.signal?.aborted ? conflict : error;
    for (;;) {
      if (limit.cause !== undefined) throw explained(limit.cause);
      if (!this.connected)
        await this.#until(() => this.connected, limit).catch((error) => {
          throw explained(error);
        });
      const version = this.#version;
      const builder = new TransactionBuilder({
        schema: this.schema,
        tables: this.#replica.tables,
        served: this.#negotiated.served,
        monitored: (name) => this.#requests.get(name)?.where ?? true,
        clientUuids: this.#clientUuids,
      });
      // The builder is the same interface for tables of any type.
      const result = await build(builder as unknown as Transaction<T>);
      const lock = typeof options.lock === "string" ? options.lock : options.lock?.name;
      const request = builder.finish({ lock, durable: options.durable ?? false, comment: options.comment });
      if (request === undefined) return result;
      const reply = await this.#send(request.operations, limit);
      if (reply === undefined) continue;
      const failure = failureOf(reply, request.operations) ?? untouched(reply, request);
      if (failure === undefined || (request.aborted && failure.error === "aborted")) {
        builder.committed(reply.slice(request.guards));
        // The updates came before the reply, unless the monitor was being renewed: then with its dump. What is
        // committed is committed, so running out of time here is no failure.
        if (!this.connected) await this.#until(() => this.connected, limit).catch(() => {});
        return result;
      }
      if (this.#clientUuids && failure.error === "syntax error" && request.operations[failure.at]?.op === "insert") {
        this.#clientUuids = false;
      } else if (failure.error === "timed out" && failure.at <= request.guards) {
        conflict = new ConflictError(`others changed what the transaction had read: ${failure.text}`);
        await this.#until(() => this.#version !== version || !this.connected, limit).catch((error) => {
          throw explained(error);
        });
      } else {
        throw transactionError(failure.error, failure.text, failure.where);
      }
    }
  }

  async execute(operations: readonly Operation[], options: WaitOptions = {}): Promise<readonly Json[]> {
    using limit = this.#limit("the transaction", options, 30_000);
    for (;;) {
      await this.#until(() => this.connected, limit);
      const reply = await this.#send(operations, limit);
      if (reply === undefined) continue;
      const failure = failureOf(reply, operations);
      if (failure !== undefined) throw transactionError(failure.error, failure.text, failure.where);
      return reply;
    }
  }

  subscribe(listener: (changes: readonly Change<T>[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async waitFor<R>(
    test: (database: Database<T>) => R | undefined | false | null,
    options: WaitOptions = {},
  ): Promise<R> {
    using limit = this.#limit("waiting for the database", options, undefined);
    let found: R | undefined;
    await this.#until(() => {
      const result = test(this);
      if (result === undefined || result === null || result === false) return false;
      found = result;
      return true;
    }, limit);
    return found as R;
  }

  lock(name: string, options: { readonly steal?: boolean } = {}): Lock {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) throw new BadLockError(`"${name}" is no identifier, so no lock's name`);
    const state = this.#session.lock(name, options.steal ?? false);
    if (state === undefined) throw new BadLockError(`the lock ${name} has been asked for already`);
    return new LockHandle(state, this.#session, (wait) => this.#limit(`waiting for the lock ${name}`, wait, undefined));
  }

  async setConditions(conditions: Conditions<T>, options: WaitOptions = {}): Promise<void> {
    using limit = this.#limit("changing the monitor's conditions", options, 30_000);
    const names = Object.keys(conditions);
    const before = new Map<TableRequest, TableRequest["where"]>();
    for (const name of names) {
      const request = this.#requests.get(name);
      if (request === undefined) throw new SchemaMismatchError(`the table ${name} is not monitored`);
      const given: TableRequest["where"] | undefined = (conditions as { [table: string]: TableRequest["where"] })[name];
      if (given === undefined) continue;
      encodeConditions(this.schema, name, given);
      before.set(request, request.where);
      request.where = given;
    }
    // From here on every monitor that is asked for has the new conditions.
    const connection = this.#session.current;
    if (connection !== undefined) {
      const { served } = this.#negotiated;
      const requests = Object.fromEntries(
        names
          .filter((name) => served.has(name))
          .map((name) => {
            const where = encodeConditions(
              this.schema,
              name,
              this.#requests.get(name)?.where ?? true,
              served.get(name),
            );
            return [name, [{ where }]];
          }),
      );
      const done = connection.changeConditions(requests).then(
        () => true,
        (error: OvsdbError) => {
          if (connection.rpc.ended) return false;
          for (const [request, where] of before) request.where = where;
          throw error;
        },
      );
      if (await raced(done, limit)) return;
    }
    await this.#until(() => this.connected && this.#session.current !== connection, limit);
  }

  on<E extends keyof DatabaseEvents>(event: E, listener: (detail: DatabaseEvents[E]) => void): Disposable {
    let listeners = this.#events.get(event);
    if (listeners === undefined) {
      listeners = new Set();
      this.#events.set(event, listeners);
    }
    const set = listeners;
    set.add(listener);
    return { [Symbol.dispose]: () => void set.delete(listener) };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#synced = false;
    this.#session.close();
    this.#limits.endAll();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #negotiate(served: DatabaseSchema): ReturnType<typeof monitorRequests> {
    const before = this.#negotiated.differences;
    this.#negotiated = negotiate(this.schema, served);
    if (JSON.stringify(before) !== JSON.stringify(this.#negotiated.differences) && this.#everSynced)
      this.#emit("schema", this.#negotiated.differences);
    return monitorRequests(this.schema, this.#requests, this.#negotiated);
  }

  #setSynced(): void {
    const again = this.#everSynced && !this.#synced;
    this.#synced = true;
    this.#everSynced = true;
    // The session's own state is set in the turn that follows; those who wait look then.
    queueMicrotask(() => {
      if (again) this.#emit("reconnected", undefined);
      this.#wake();
    });
  }

  #setDesynced(cause: Error): void {
    if (!this.#synced) return;
    this.#synced = false;
    this.#emit("disconnected", cause);
    this.#wake();
  }

  #changed(changes: RowChange[]): void {
    if (changes.length === 0) return;
    this.#version++;
    if (this.#everSynced)
      for (const listener of [...this.#listeners]) safely(() => listener(changes as unknown as readonly Change<T>[]));
    this.#wake();
  }

  #emit<E extends keyof DatabaseEvents>(event: E, detail: DatabaseEvents[E]): void {
    for (const listener of [...(this.#events.get(event) ?? [])])
      safely(() => (listener as (detail: DatabaseEvents[E]) => void)(detail));
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  #limit(doing: string, options: WaitOptions, timeout: number | undefined): Limit {
    const limit = new Limit(doing, options, timeout, this.#limits);
    if (this.#closed) limit.end(new ClosedError());
    return limit;
  }

  /** Resolves when `test` holds, looking at each change of the replica or of the connection. */
  #until(test: () => boolean, limit: Limit): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        this.#waiters.delete(look);
        limit.unlisten(aborted);
        settle();
      };
      const aborted = () => finish(() => reject(limit.cause));
      const look = () => {
        try {
          if (test()) finish(resolve);
        } catch (error) {
          finish(() => reject(error));
        }
      };
      if (limit.cause !== undefined) return reject(limit.cause);
      limit.listen(aborted);
      this.#waiters.add(look);
      look();
    });
  }

  /** Sends a transaction; nothing when it was not sent or the server cancelled it, and so has surely not happened. */
  #send(operations: readonly Operation[], limit: Limit): Promise<readonly Json[] | undefined> {
    return new Promise((resolve, reject) => {
      if (limit.cause !== undefined) return reject(limit.cause);
      let grace: NodeJS.Timeout | undefined;
      const settle = () => {
        clearTimeout(grace);
        limit.unlisten(aborted);
      };
      const unknown = (cause: Error) =>
        reject(
          new OutcomeUnknownError("the transaction was sent and its answer never came: it may have been committed", {
            cause,
            hint: "look whether its changes are there before repeating it",
          }),
        );
      const answered = (reply: Reply) => {
        settle();
        switch (reply.kind) {
          case "result":
            return isArray(reply.result)
              ? resolve(reply.result)
              : reject(new TransactionRefusedError("", "the server answered a transaction with no results"));
          case "error":
            if (reply.error !== "canceled") return reject(transactionError(reply.error, reply.text));
            return limit.cause === undefined ? resolve(undefined) : reject(limit.cause);
          case "lost":
            return unknown(reply.cause);
        }
      };
      const cancel = this.#session.send("transact", [this.name, ...operations], answered);
      if (cancel === undefined) return resolve(undefined);
      const aborted = () => {
        cancel();
        const cause = limit.cause ?? new ConnectionLostError("closed");
        grace = setTimeout(() => {
          settle();
          unknown(cause);
        }, CANCEL_GRACE);
      };
      limit.listen(aborted);
    });
  }
}

/** A listener's failure is its owner's: it must neither stop the others nor the replica. */
function safely(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function raced<R>(work: Promise<R>, limit: Limit): Promise<R> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(limit.cause);
    if (limit.cause !== undefined) return aborted();
    limit.listen(aborted);
    work.then(resolve, reject).finally(() => limit.unlisten(aborted));
  });
}
