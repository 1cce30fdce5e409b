import type { Json } from "./json.ts";
import type { Lock } from "./lock.ts";
import type { Operation } from "./operation.ts";
import type { Schema } from "./schema.ts";
import type { SessionOptions } from "./session.ts";
import type { Integer, RowInput, Uuid } from "./value.ts";

/** The names of a database's tables. */
export type TableName<T> = keyof T & string;

/** Equality on some columns: `{ name: "br0" }`. */
export type Where<R> = { readonly [Column in keyof R]?: R[Column] };

/** The rows of one table. They are frozen and shared: a changed row is another object. */
export interface Table<R> extends Iterable<R> {
  readonly size: number;
  get(uuid: Uuid): R | undefined;
  /** The first row with these values. By `name`, by an index of the schema or by `_uuid` it is found without search. */
  find(where: Where<R>): R | undefined;
  filter(where: Where<R> | ((row: R) => boolean)): R[];
  /** The row of a table that has at most one, such as `Open_vSwitch`. */
  single(): R | undefined;
}

/** One row that came (`new` only), went (`old` only) or changed. */
export type Change<T> = {
  [K in TableName<T>]: {
    readonly table: K;
    readonly uuid: Uuid;
    readonly old: T[K] | undefined;
    readonly new: T[K] | undefined;
  };
}[TableName<T>];

type Element<V> = V extends ReadonlyMap<infer K, unknown> ? K : V extends ReadonlySet<infer E> ? E : NonNullable<V>;
type Added<V> =
  V extends ReadonlyMap<infer K, infer W>
    ? V | Iterable<readonly [K, W]> | (K extends string ? Readonly<Record<string, W>> : never)
    : Iterable<Element<V>>;

/** How a column changes, whatever its value is (RFC 7047 section 5.1, `<mutation>`). */
export type Mutation<V> = {
  /** Elements that shall be there; pairs of a map whose key is not there yet. */
  readonly insert?: Added<V>;
  /** Pairs of a map that shall be there, in place of others with their keys. */
  readonly set?: V extends ReadonlyMap<unknown, unknown> ? Added<V> : never;
  /** Elements, or a map's keys, that shall not be there. */
  readonly delete?: Iterable<Element<V>>;
  readonly add?: Integer;
  readonly subtract?: Integer;
  readonly multiply?: Integer;
  /** Integers are divided towards zero. */
  readonly divide?: Integer;
  readonly modulo?: Integer;
};

/** The changes of a row's columns that do not depend on what they held. */
export type Mutations<R> = {
  readonly [Column in keyof R as Column extends "_uuid" ? never : Column]?: Mutation<R[Column]>;
};

/**
 * A transaction in the making. It sees the replica with its own changes. What is read *through it* must still be so
 * when it commits, else it is built again: of rows that it looked at the columns that it looked at, of searches which
 * rows they find. A search by predicate, an iteration and `single` look at the whole table; reads through
 * `Database.table` guard nothing.
 */
export interface Transaction<T> {
  get<K extends TableName<T>>(table: K, uuid: Uuid): T[K] | undefined;
  find<K extends TableName<T>>(table: K, where: Where<T[K]>): T[K] | undefined;
  filter<K extends TableName<T>>(table: K, where: Where<T[K]> | ((row: T[K]) => boolean)): T[K][];
  single<K extends TableName<T>>(table: K): T[K] | undefined;
  rows<K extends TableName<T>>(table: K): Iterable<T[K]>;
  /**
   * A new row; columns that are left out have the default of their type.
   *
   * @returns its uuid, to refer to it in this transaction and after
   * @throws BadValueError, SchemaMismatchError
   */
  insert<K extends TableName<T>>(table: K, row: RowInput<T[K]>): Uuid;
  /** Sets columns. @throws NoSuchRowError, BadValueError, SchemaMismatchError */
  update<K extends TableName<T>>(table: K, uuid: Uuid, row: RowInput<T[K]>): void;
  /** Changes columns without looking at them: writers who add to one set do not conflict. @throws as `update` */
  mutate<K extends TableName<T>>(table: K, uuid: Uuid, mutations: Mutations<T[K]>): void;
  /** Deletes a row. Rows of tables that are no roots go by themselves with the last reference. */
  delete<K extends TableName<T>>(table: K, uuid: Uuid): void;
  /** Adds one to an integer; the function returned tells the new value once the transaction has committed. */
  increment<K extends TableName<T>>(table: K, uuid: Uuid, column: keyof T[K] & string): () => number;
  /** A line for the server's log of transactions. */
  comment(text: string): void;
  /** Lets the server check the whole transaction and then not do it. */
  abort(): void;
  /** A row's final uuid, which differs from what `insert` returned only with servers older than OVS 2.13. */
  uuidOf(uuid: Uuid): Uuid;
}

/** How long to wait, and until who says no. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds. */
  readonly timeout?: number;
}

/** How to commit. */
export interface TransactOptions extends WaitOptions {
  /** A line for the server's log of transactions. */
  readonly comment?: string;
  /** Wait until the disk has it (`commit durable`). */
  readonly durable?: boolean;
  /** Commit only while this client holds the lock. */
  readonly lock?: Lock | string;
  /** Milliseconds for all attempts together; 30,000 by default. */
  readonly timeout?: number;
}

/** `[column, function, value]`: the rows of a table that are wanted (RFC 7047 section 5.1, `<condition>`). */
export type Condition<R> = {
  [Column in keyof R & string]: readonly [
    Column,
    "==" | "!=" | "<" | "<=" | ">" | ">=" | "includes" | "excludes",
    R[Column] | Iterable<Element<R[Column]>>,
  ];
}[keyof R & string];

/** What of a table is monitored: all of it, some columns, and of some rows: those that meet any of the conditions. */
export type MonitorRequest<R> =
  | true
  | readonly (keyof R & string)[]
  | { readonly columns?: readonly (keyof R & string)[]; readonly where?: readonly Condition<R>[] };

/** Which tables are monitored; the others have no rows here. */
export type Monitor<T> = { readonly [K in TableName<T>]?: MonitorRequest<T[K]> };

/** Which rows are monitored; `true` for all. */
export type Conditions<T> = { readonly [K in TableName<T>]?: true | readonly Condition<T[K]>[] };

/** How to open a database. */
export interface DatabaseOptions<T> extends SessionOptions, WaitOptions {
  readonly schema: Schema<T>;
  /** All tables with all columns by default. Rows lack the columns that are not monitored. */
  readonly monitor?: Monitor<T>;
  /** Further sets of columns by which rows are found without search. */
  readonly indexes?: { readonly [K in TableName<T>]?: readonly (readonly (keyof T[K] & string)[])[] };
  /** The database's name, where it differs from the schema's. */
  readonly database?: string;
  /** Milliseconds until the first dump must be complete; 30,000 by default. */
  readonly timeout?: number;
  /** Whether rows are inserted under uuids chosen here. By default they are, and servers before OVS 2.13 are told so
   * when they refuse. */
  readonly clientUuids?: boolean;
}

/** How the server's schema differs from ours. What it lacks reads as the default, and cannot be written. */
export interface SchemaDifferences {
  readonly version: string;
  readonly missingTables: readonly string[];
  /** `Table.column` */
  readonly missingColumns: readonly string[];
  /** `Table.column` whose type there cannot be read as ours; treated as missing. */
  readonly changedColumns: readonly string[];
}

/** What a database tells besides its rows. */
export interface DatabaseEvents {
  /** The server is gone, or renews its database; the rows stay as last seen. */
  disconnected: Error;
  /** A server is there again, and the rows are its rows. */
  reconnected: undefined;
  /** The server's schema is another now. */
  schema: SchemaDifferences;
}

/** A database and its replica. */
export interface Database<T> extends AsyncDisposable {
  readonly name: string;
  readonly schema: Schema<T>;
  /** Whether the replica follows a server now. */
  readonly connected: boolean;
  /** The remote that is connected. */
  readonly remote: string | undefined;
  readonly differences: SchemaDifferences;
  table<K extends TableName<T>>(name: K): Table<T[K]>;
  /**
   * Runs `build` on a transaction and commits it. When something that it read has changed meanwhile, it is run again
   * on the new state: it must have no other effects. Resolves when the change is committed *and* in the replica.
   *
   * @returns what `build` returned
   * @throws what `build` throws, with nothing sent
   * @throws ConflictError, TimeoutError, CancelledError, OutcomeUnknownError, ConstraintViolationError,
   * ReferentialIntegrityError, NotOwnerError, ServerIoError, ResourcesExhaustedError, ArithmeticError, PermissionError,
   * UnreferencedRowError, TransactionRefusedError, ClosedError
   */
  transact<R>(build: (transaction: Transaction<T>) => R | Promise<R>, options?: TransactOptions): Promise<R>;
  /**
   * Sends operations as they are.
   *
   * @returns one result for each
   * @throws as `transact`; a `wait` that timed out is a ConflictError
   */
  execute(operations: readonly Operation[], options?: WaitOptions): Promise<readonly Json[]>;
  /** Calls back once for each update of the replica, after it; with what has really changed, never with nothing. */
  subscribe(listener: (changes: readonly Change<T>[]) => void): Disposable;
  /**
   * Resolves with the first result of `test` that is not undefined, null or false; tested now and after each update.
   *
   * @throws TimeoutError, CancelledError, ClosedError; what `test` throws
   */
  waitFor<R>(test: (database: Database<T>) => R | undefined | false | null, options?: WaitOptions): Promise<R>;
  /**
   * Stands in line for a lock. Resolves as soon as it is asked for, so look at `held` or await `acquired()`.
   *
   * @param options `steal` takes it from whoever has it
   * @throws BadLockError
   */
  lock(name: string, options?: { readonly steal?: boolean }): Lock;
  /** Changes what rows of the tables named are monitored. Resolves when the replica is so. */
  setConditions(conditions: Conditions<T>, options?: WaitOptions): Promise<void>;
  on<E extends keyof DatabaseEvents>(event: E, listener: (detail: DatabaseEvents[E]) => void): Disposable;
  /** Ends the connection. What waits is refused with ClosedError; the rows stay as last seen. */
  close(): Promise<void>;
}
