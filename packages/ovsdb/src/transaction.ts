import { decodeValue, encodeValue } from "./codec.ts";
import type { AnyCondition } from "./condition.ts";
import { Draft } from "./draft.ts";
import { BadValueError, NoSuchRowError, SchemaMismatchError, UnreferencedRowError } from "./errors.ts";
import { Guards } from "./guards.ts";
import { isArray, isObject, type Json } from "./json.ts";
import { type AnyMutation, mutated, wireMutations } from "./mutation.ts";
import { type Operation, whereUuid } from "./operation.ts";
import { matches, type ReplicaTable, type RowWhere } from "./replica.ts";
import type { BaseType, ColumnSchema, DatabaseSchema, TableSchema } from "./schema.ts";
import type { Row, Uuid } from "./value.ts";

type Columns = { readonly [column: string]: unknown };

/** What a builder needs to know of its database. */
export interface TransactionGround {
  readonly schema: DatabaseSchema;
  readonly tables: ReadonlyMap<string, ReplicaTable>;
  /** Columns of our schema that the server has; of tables that it lacks nothing is here. */
  readonly served: ReadonlyMap<string, ReadonlySet<string>>;
  /** The conditions of a table's monitor: any of them suffices. */
  readonly monitored: (table: string) => readonly AnyCondition[] | true;
  /** Whether the server takes the uuid that we choose (OVS 2.13 and later), or a name for the transaction's length. */
  readonly clientUuids: boolean;
}

/** A transaction as it is sent. */
export interface FinishedTransaction {
  readonly operations: readonly Operation[];
  /** How many operations come first that only look. */
  readonly guards: number;
  /** Whether the operation behind them does nothing, and says so by its count, when what was read has changed. */
  readonly selfGuarded: boolean;
  readonly aborted: boolean;
}

/** Collects one transaction. What it reads is guarded; it sees its own changes. */
export class TransactionBuilder {
  readonly #ground: TransactionGround;
  readonly #guards: Guards;
  readonly #operations: Operation[] = [];
  readonly #drafts = new Map<string, Map<string, Draft>>();
  readonly #inserted = new Map<string, { readonly table: TableSchema; readonly at: number; final: Uuid }>();
  readonly #referenced = new Set<string>();
  readonly #comments: string[] = [];
  readonly #selected: { readonly at: number; readonly column: string; value: Json | undefined }[] = [];
  #aborted = false;

  constructor(ground: TransactionGround) {
    this.#ground = ground;
    this.#guards = new Guards(ground.served, ground.monitored);
  }

  get(name: string, uuid: Uuid): Row | undefined {
    const table = this.#table(name);
    const draft = this.#drafts.get(name)?.get(uuid);
    if (draft?.inserted !== undefined) return draft.row;
    const row = this.#guards.presence(table, uuid);
    return row && this.#shown(table, row);
  }

  find(name: string, where: RowWhere): Row | undefined {
    return this.filter(name, where)[0];
  }

  filter(name: string, where: RowWhere | ((row: Row) => boolean)): Row[] {
    const table = this.#table(name);
    const drafts = this.#drafts.get(name);
    if (typeof where === "function") {
      const rows: Row[] = [];
      for (const row of this.rows(name)) if (where(row)) rows.push(row);
      return rows;
    }
    const found = table.filter(where);
    this.#guards.query(table, where, found);
    const rows: Row[] = [];
    for (const row of found) {
      const draft = drafts?.get(String(row._uuid));
      const shown = draft?.row;
      if (draft === undefined || (shown !== undefined && matches(shown, where)))
        this.#push(rows, this.#shown(table, row));
    }
    for (const [uuid, draft] of drafts ?? []) {
      const shown = draft.row;
      if (shown === undefined || !matches(shown, where)) continue;
      const base = table.get(uuid);
      if (base === undefined) rows.push(shown);
      else if (!found.includes(base)) this.#push(rows, this.#shown(table, base));
    }
    return rows;
  }

  single(name: string): Row | undefined {
    for (const row of this.rows(name)) return row;
    return undefined;
  }

  /** All rows of a table; that there are no others is guarded too. */
  *rows(name: string): Generator<Row, void> {
    const table = this.#table(name);
    this.#guards.scan(table);
    for (const row of table) {
      const shown = this.#shown(table, row);
      if (shown !== undefined) yield shown;
    }
    for (const draft of this.#drafts.get(name)?.values() ?? []) {
      const shown = draft.inserted === undefined ? undefined : draft.row;
      if (shown !== undefined) yield shown;
    }
  }

  insert(name: string, columns: Columns): Uuid {
    const schema = this.#schema(name);
    const uuid = crypto.randomUUID() as string as Uuid;
    const wire: { [column: string]: Json } = {};
    const at = this.#operations.length;
    this.#inserted.set(uuid, { table: schema, at, final: uuid });
    for (const [column, definition] of schema.columns) {
      if (!Object.hasOwn(columns, column) || (columns[column] === undefined && definition.shape !== "scalar")) continue;
      wire[column] = this.#encode(definition, name, columns[column]);
    }
    this.#known(schema, columns);
    // Later steps on the row may still change what its insert says: what it shows at first is what it says now.
    const first = { ...wire };
    const table = this.#ground.tables.get(name);
    const row = once(() => table?.build(uuid, this.#plain(first)) ?? Object.freeze({ _uuid: uuid }));
    this.#draftsOf(name).set(uuid, new Draft(row, wire));
    const identity: { readonly [name: string]: string } = this.#ground.clientUuids
      ? { uuid }
      : { "uuid-name": nameOf(uuid) };
    this.#operations.push({ op: "insert", table: name, row: wire, ...identity });
    return uuid;
  }

  update(name: string, uuid: Uuid, columns: Columns): void {
    const schema = this.#schema(name);
    this.#known(schema, columns);
    const draft = this.#draft(name, uuid);
    const wire: { [column: string]: Json } = {};
    for (const column of Object.keys(columns)) {
      const definition = this.#column(schema, column);
      if (!definition.mutable && draft?.inserted === undefined)
        throw new BadValueError(`${name}.${column} is fixed when its row is inserted`);
      wire[column] = this.#encode(definition, name, columns[column]);
    }
    if (Object.keys(wire).length === 0) return;
    for (const column of Object.keys(wire)) draft?.own.add(column);
    draft?.change((row) => {
      const table = this.#ground.tables.get(name);
      const plain = this.#plain(wire);
      for (const column of Object.keys(wire)) {
        const definition = table?.columns.get(column);
        if (definition !== undefined) row[column] = decodeValue(definition, plain[column] ?? null);
      }
    });
    // A row of our own takes the column in its insert, unless a mutation stands between.
    if (draft?.inserted !== undefined && !draft.mutated) Object.assign(draft.inserted, wire);
    else this.#operations.push({ op: "update", table: name, where: whereUuid(this.#reference(uuid)), row: wire });
  }

  mutate(name: string, uuid: Uuid, columns: { readonly [column: string]: AnyMutation | undefined }): void {
    const schema = this.#schema(name);
    this.#known(schema, columns);
    const draft = this.#draft(name, uuid);
    const mutations: Json[] = [];
    const write = this.#writer();
    for (const [column, mutation] of Object.entries(columns)) {
      if (mutation === undefined) continue;
      const definition = this.#column(schema, column);
      if (!definition.mutable) throw new BadValueError(`${name}.${column} is fixed when its row is inserted`);
      const operations = wireMutations(definition, mutation, write);
      if (operations.length === 0) continue;
      mutations.push(...operations);
      draft?.change((row) => {
        if (Object.hasOwn(row, column)) row[column] = mutated(definition, row[column], mutation);
      });
    }
    if (mutations.length === 0) return;
    if (draft !== undefined) draft.mutated = true;
    this.#operations.push({ op: "mutate", table: name, where: whereUuid(this.#reference(uuid)), mutations });
  }

  delete(name: string, uuid: Uuid): void {
    this.#schema(name);
    const drafts = this.#draftsOf(name);
    const draft = drafts.get(uuid) ?? new Draft(() => ({}), undefined);
    draft.delete();
    drafts.set(uuid, draft);
    this.#operations.push({ op: "delete", table: name, where: whereUuid(this.#reference(uuid)) });
  }

  increment(name: string, uuid: Uuid, column: string): () => number {
    this.mutate(name, uuid, { [column]: { add: 1 } });
    const selected: { readonly at: number; readonly column: string; value: Json | undefined } = {
      at: this.#operations.length,
      column,
      value: undefined,
    };
    const where = whereUuid(this.#reference(uuid));
    this.#operations.push({ op: "select", table: name, where, columns: [column] });
    this.#selected.push(selected);
    return () => {
      if (typeof selected.value !== "number")
        throw new BadValueError(`the value of ${name}.${column} is known only once the transaction has committed`);
      return selected.value;
    };
  }

  comment(text: string): void {
    this.#comments.push(text);
  }

  abort(): void {
    this.#aborted = true;
  }

  /** Where a row ended up; its own uuid, unless the server is too old to take ours. */
  uuidOf(uuid: Uuid): Uuid {
    return this.#inserted.get(uuid)?.final ?? uuid;
  }

  /**
   * The whole transaction in wire form; nothing when there is nothing to do.
   *
   * @throws UnreferencedRowError
   */
  finish(options: {
    readonly lock: string | undefined;
    readonly durable: boolean;
    readonly comment: string | undefined;
  }): FinishedTransaction | undefined {
    if (this.#operations.length === 0) return undefined;
    this.#refuseUnreferenced();
    const before: Operation[] = options.lock === undefined ? [] : [{ op: "assert", lock: options.lock }];
    const after: Operation[] = [];
    const comment = [...(options.comment === undefined ? [] : [options.comment]), ...this.#comments].join("\n");
    if (comment !== "") after.push({ op: "comment", comment });
    if (this.#aborted) after.push({ op: "abort" });
    else if (options.durable) after.push({ op: "commit", durable: true });
    const single = this.#guardedByItself();
    if (single === undefined) before.push(...this.#guards.operations());
    return {
      operations: [...before, ...(single === undefined ? this.#operations : [single]), ...after],
      guards: before.length,
      selfGuarded: single !== undefined,
      aborted: this.#aborted,
    };
  }

  /** The one operation of a transaction that read the row which it writes and nothing else, with that as its condition. */
  #guardedByItself(): Operation | undefined {
    const [operation, ...more] = this.#operations;
    if (operation === undefined || more.length > 0 || (operation.op !== "update" && operation.op !== "mutate"))
      return undefined;
    const uuid = isArray(operation.where) && isArray(operation.where[0]) ? operation.where[0][2] : undefined;
    if (typeof operation.table !== "string" || !isArray(uuid)) return undefined;
    const conditions = this.#guards.ofRow(operation.table, String(uuid[1]));
    return conditions && isArray(operation.where)
      ? { ...operation, where: [...operation.where, ...conditions] }
      : undefined;
  }

  /** Takes in the results of the operations that are not guards. */
  committed(results: readonly Json[]): void {
    for (const inserted of this.#inserted.values()) {
      const result = results[inserted.at];
      const uuid = isObject(result) ? result.uuid : undefined;
      if (isArray(uuid) && typeof uuid[1] === "string") inserted.final = uuid[1] as Uuid;
    }
    for (const selected of this.#selected) {
      const result = results[selected.at];
      const row = isObject(result) && isArray(result.rows) ? result.rows[0] : undefined;
      selected.value = isObject(row) ? row[selected.column] : undefined;
    }
  }

  #refuseUnreferenced(): void {
    for (const [uuid, { table }] of this.#inserted) {
      if (table.isRoot || this.#referenced.has(uuid)) continue;
      if (this.#drafts.get(table.name)?.get(uuid)?.deleted === true) continue;
      throw new UnreferencedRowError(`a row was inserted into ${table.name} and nothing refers to it`, {
        hint: `rows of ${table.name} live only while another row refers to them: add the reference in the same transaction`,
      });
    }
  }

  #encode(column: ColumnSchema, table: string, value: unknown): Json {
    try {
      return encodeValue(column, value, this.#writer());
    } catch (error) {
      if (error instanceof BadValueError)
        throw new BadValueError(`${table}.${error.message}`, { cause: error, where: `${table}.${column.name}` });
      throw error;
    }
  }

  #writer(): (uuid: string, base: BaseType) => Json {
    return (uuid, base) => {
      if (base.refType === "strong") this.#referenced.add(uuid);
      return this.#reference(uuid);
    };
  }

  #reference(uuid: string): Json {
    return !this.#ground.clientUuids && this.#inserted.has(uuid) ? ["named-uuid", nameOf(uuid)] : ["uuid", uuid];
  }

  /** The wire form of values in which our own rows have their uuid. */
  #plain(wire: { readonly [column: string]: Json }): { readonly [column: string]: Json } {
    return this.#ground.clientUuids ? wire : (unnamed(wire) as { readonly [column: string]: Json });
  }

  /** The draft of a row that is about to be changed; nothing for tables that are not monitored. */
  #draft(name: string, uuid: Uuid): Draft | undefined {
    const drafts = this.#draftsOf(name);
    let draft = drafts.get(uuid);
    if (draft === undefined) {
      const table = this.#ground.tables.get(name);
      if (table === undefined) return undefined;
      // An update of no row is no error to the server: that the row is there must be asked for.
      const row = this.#guards.presence(table, uuid);
      if (row === undefined) throw new NoSuchRowError(`${name} has no row ${uuid}`);
      draft = new Draft(() => row, undefined);
      drafts.set(uuid, draft);
    }
    if (draft.deleted) throw new NoSuchRowError(`${name} has no row ${uuid}: this transaction deletes it`);
    return draft;
  }

  #draftsOf(name: string): Map<string, Draft> {
    let drafts = this.#drafts.get(name);
    if (drafts === undefined) {
      drafts = new Map();
      this.#drafts.set(name, drafts);
    }
    return drafts;
  }

  #shown(table: ReplicaTable, row: Row): Row | undefined {
    const draft = this.#drafts.get(table.schema.name)?.get(String(row._uuid));
    if (draft === undefined) return this.#guards.watch(table, row);
    const shown = draft.row;
    return shown && this.#guards.watch(table, row, shown, draft.own);
  }

  #push(rows: Row[], row: Row | undefined): void {
    if (row !== undefined) rows.push(row);
  }

  #table(name: string): ReplicaTable {
    const table = this.#ground.tables.get(name);
    if (table === undefined) throw new SchemaMismatchError(`the table ${name} is not monitored, so it cannot be read`);
    return table;
  }

  #schema(name: string): TableSchema {
    const schema = this.#ground.schema.tables.get(name);
    if (schema === undefined) throw new SchemaMismatchError(`the schema has no table ${name}`);
    if (!this.#ground.served.has(name))
      throw new SchemaMismatchError(`the server's version of the schema has no table ${name}`);
    return schema;
  }

  #column(schema: TableSchema, name: string): ColumnSchema {
    const column = schema.columns.get(name);
    if (column === undefined) throw new SchemaMismatchError(`the table ${schema.name} has no column ${name}`);
    return column;
  }

  #known(schema: TableSchema, columns: Columns): void {
    for (const name of Object.keys(columns)) {
      if (name === "_uuid") throw new BadValueError(`${schema.name}._uuid is chosen by insert and never changes`);
      this.#column(schema, name);
      if (!this.#ground.served.get(schema.name)?.has(name))
        throw new SchemaMismatchError(`the server's version of ${schema.name} has no column ${name}`);
    }
  }
}

function once<V>(make: () => V): () => V {
  let made: { readonly value: V } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** An identifier for the length of a transaction (RFC 7047 section 5.1, `<named-uuid>`). */
function nameOf(uuid: string): string {
  return `row${uuid.replaceAll("-", "")}`;
}

function unnamed(json: Json): Json {
  if (isArray(json)) {
    if (json[0] === "named-uuid" && typeof json[1] === "string") {
      const hex = json[1].slice(3);
      return ["uuid", hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5")];
    }
    return json.map(unnamed);
  }
  if (isObject(json)) return Object.fromEntries(Object.entries(json).map(([name, member]) => [name, unnamed(member)]));
  return json;
}
