import { applyDiff, decodeValue, defaultValue } from "./codec.ts";
import { BadValueError, SchemaMismatchError } from "./errors.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";
import type { ColumnSchema, TableSchema } from "./schema.ts";
import { type Row, sameValue, type Uuid, type Value } from "./value.ts";

/** One row that came, went or changed. */
export interface RowChange {
  readonly table: string;
  readonly uuid: Uuid;
  readonly old: Row | undefined;
  readonly new: Row | undefined;
}

/** The two ways in which servers tell of rows: RFC 7047 section 4.1.6, and `<table-updates2>` of ovsdb-server(7). */
export type UpdateFormat = "update" | "update2";

/** Equality on some columns. */
export type RowWhere = { readonly [column: string]: Value };

interface Index {
  readonly columns: readonly string[];
  /** Undefined until it is first asked for. Most keys have one row, kept bare. */
  rows: Map<unknown, Row | Row[]> | undefined;
}

/** The local copy of one table. Its rows are frozen, replaced whole when they change, and of one shape. */
export class ReplicaTable implements Iterable<Row> {
  readonly schema: TableSchema;
  /** The columns that rows carry. */
  readonly columns: ReadonlyMap<string, ColumnSchema>;
  readonly #rows = new Map<string, Row>();
  readonly #template: Row;
  readonly #indexes: readonly Index[];

  /**
   * @param columns those to keep; the rest of the schema's is not in the rows
   * @param indexes further sets of columns for which {@link find} must not search
   */
  constructor(schema: TableSchema, columns: readonly string[], indexes: readonly (readonly string[])[] = []) {
    this.schema = schema;
    this.columns = new Map([...schema.columns].filter(([name]) => columns.includes(name)));
    const template: { [column: string]: Value } = { _uuid: "" };
    for (const [name, column] of this.columns) template[name] = defaultValue(column);
    this.#template = template;
    const unique = new Map([["name"], ...schema.indexes, ...indexes].map((index) => [index.join(), index]));
    this.#indexes = [...unique.values()]
      .filter((index) =>
        index.every((name) => {
          const shape = this.columns.get(name)?.shape;
          return shape === "scalar" || shape === "optional";
        }),
      )
      .map((index) => ({ columns: index, rows: undefined }));
  }

  get size(): number {
    return this.#rows.size;
  }

  [Symbol.iterator](): IterableIterator<Row> {
    return this.#rows.values();
  }

  get(uuid: string): Row | undefined {
    return this.#rows.get(uuid);
  }

  has(uuid: string): boolean {
    return this.#rows.has(uuid);
  }

  uuids(): IterableIterator<string> {
    return this.#rows.keys();
  }

  /**
   * The first row whose columns are as `where` says; without search on `name` and on the schema's indexes.
   *
   * @throws SchemaMismatchError
   */
  find(where: RowWhere): Row | undefined {
    this.#known(where);
    for (const row of this.#candidates(where)) if (matches(row, where)) return row;
    return undefined;
  }

  /** All rows whose columns are as `where` says, or that `where` takes. */
  filter(where: RowWhere | ((row: Row) => boolean)): Row[] {
    const found: Row[] = [];
    if (typeof where === "function") {
      for (const row of this.#rows.values()) if (where(row)) found.push(row);
    } else {
      this.#known(where);
      for (const row of this.#candidates(where)) if (matches(row, where)) found.push(row);
    }
    return found;
  }

  /** The row of a table that can have one only. */
  single(): Row | undefined {
    for (const row of this.#rows.values()) return row;
    return undefined;
  }

  /** A column that the rows do not carry would be found nowhere, silently. */
  #known(where: RowWhere): void {
    for (const name in where)
      if (name !== "_uuid" && !this.columns.has(name))
        throw new SchemaMismatchError(`the column ${this.schema.name}.${name} is not there, or not monitored`);
  }

  #candidates(where: RowWhere): Iterable<Row> {
    if (typeof where._uuid === "string") {
      const row = this.#rows.get(where._uuid);
      return row === undefined ? [] : [row];
    }
    const index = this.#indexes.find(({ columns }) => columns.every((name) => Object.hasOwn(where, name)));
    if (index === undefined) return this.#rows.values();
    if (index.rows === undefined) {
      index.rows = new Map();
      for (const row of this.#rows.values()) enter(index.rows, keyOf(index.columns, row), row);
    }
    const found = index.rows.get(keyOf(index.columns, where));
    return found === undefined ? [] : Array.isArray(found) ? found : [found];
  }

  /** A row from what `initial`, `insert` or `new` say: columns that are left out have their defaults. */
  build(uuid: string, json: JsonObject): Row {
    const row: { [column: string]: Value } = { ...this.#template };
    row._uuid = uuid;
    for (const name in json) {
      const column = this.columns.get(name);
      if (column !== undefined) row[name] = decodeValue(column, json[name] ?? null);
    }
    return Object.freeze(row);
  }

  /** A row with an `update2` difference applied. */
  modify(old: Row, json: JsonObject): Row {
    const row: { [column: string]: Value } = { ...old };
    for (const name in json) {
      const column = this.columns.get(name);
      if (column !== undefined) row[name] = applyDiff(column, old[name], json[name] ?? null);
    }
    return Object.freeze(row);
  }

  /** Puts a row in its place and returns the change, or nothing when it is as it was. */
  put(uuid: string, row: Row): RowChange | undefined {
    const old = this.#rows.get(uuid);
    if (old !== undefined && this.#same(old, row)) return undefined;
    // The key is the row's own string: a uuid is kept once.
    this.#rows.set(uuid, row);
    this.#reindex(old, row);
    return { table: this.schema.name, uuid: uuid as Uuid, old, new: row };
  }

  delete(uuid: string): RowChange | undefined {
    const old = this.#rows.get(uuid);
    if (old === undefined) return undefined;
    this.#rows.delete(uuid);
    this.#reindex(old, undefined);
    return { table: this.schema.name, uuid: uuid as Uuid, old, new: undefined };
  }

  #same(a: Row, b: Row): boolean {
    for (const name of this.columns.keys()) if (!sameValue(a[name], b[name])) return false;
    return true;
  }

  #reindex(old: Row | undefined, row: Row | undefined): void {
    for (const index of this.#indexes) {
      if (index.rows === undefined) continue;
      if (old !== undefined) leave(index.rows, keyOf(index.columns, old), old);
      if (row !== undefined) enter(index.rows, keyOf(index.columns, row), row);
    }
  }
}

/** The local copy of a database: what the server has told, one consistent state after the other. */
export class Replica {
  readonly tables: ReadonlyMap<string, ReplicaTable>;

  constructor(tables: readonly ReplicaTable[]) {
    this.tables = new Map(tables.map((table) => [table.schema.name, table]));
  }

  /**
   * Takes a whole new state in, and returns only what really differs from the old one.
   *
   * @param silent do not collect what differs: of a first dump everything would
   * @throws BadValueError
   */
  replace(format: UpdateFormat, json: Json, silent = false): RowChange[] {
    const snapshot = updates(json);
    const changes: RowChange[] = [];
    for (const [name, table] of this.tables) {
      const rows = snapshot[name];
      const present = isObject(rows) ? rows : {};
      const gone = table.size === 0 ? [] : [...table.uuids()].filter((uuid) => !Object.hasOwn(present, uuid));
      for (const uuid of gone) push(changes, table.delete(uuid));
      for (const uuid in present) {
        const update = updates(present[uuid]);
        const full = format === "update" ? update.new : (update.initial ?? update.insert);
        if (!isObject(full)) continue;
        const change = table.put(uuid, table.build(uuid, full));
        if (!silent) push(changes, change);
      }
    }
    return changes;
  }

  /**
   * Takes one update in.
   *
   * @throws BadValueError when it does not fit the state that it is to change
   */
  apply(format: UpdateFormat, json: Json): RowChange[] {
    const changes: RowChange[] = [];
    const tables = updates(json);
    for (const name in tables) {
      const table = this.tables.get(name);
      if (table === undefined) continue;
      const rows = updates(tables[name]);
      for (const uuid in rows) {
        const update = updates(rows[uuid]);
        push(changes, format === "update" ? applyUpdate(table, uuid, update) : applyUpdate2(table, uuid, update));
      }
    }
    return changes;
  }
}

function applyUpdate(table: ReplicaTable, uuid: string, update: JsonObject): RowChange | undefined {
  return isObject(update.new) ? table.put(uuid, table.build(uuid, update.new)) : table.delete(uuid);
}

function applyUpdate2(table: ReplicaTable, uuid: string, update: JsonObject): RowChange | undefined {
  const full = update.insert ?? update.initial;
  if (isObject(full)) return table.put(uuid, table.build(uuid, full));
  if (isObject(update.modify)) {
    const old = table.get(uuid);
    if (old === undefined)
      throw new BadValueError(`the server changed row ${uuid} of ${table.schema.name}, which it never sent`);
    return table.put(uuid, table.modify(old, update.modify));
  }
  return table.delete(uuid);
}

function updates(json: Json | undefined): JsonObject {
  if (!isObject(json)) throw new BadValueError("the server sent an update that is no object");
  return json;
}

function push(changes: RowChange[], change: RowChange | undefined): void {
  if (change !== undefined) changes.push(change);
}

/** Whether each column that `where` names has the value that it says. */
export function matches(row: Row, where: RowWhere): boolean {
  for (const name in where) if (!sameValue(row[name], where[name])) return false;
  return true;
}

function keyOf(columns: readonly string[], row: RowWhere): unknown {
  const [only, ...more] = columns;
  if (only === undefined) return "";
  if (more.length === 0) return row[only];
  return JSON.stringify(columns.map((name) => [typeof row[name], String(row[name])]));
}

function enter(index: Map<unknown, Row | Row[]>, key: unknown, row: Row): void {
  const found = index.get(key);
  if (found === undefined) index.set(key, row);
  else if (Array.isArray(found)) found.push(row);
  else index.set(key, [found, row]);
}

function leave(index: Map<unknown, Row | Row[]>, key: unknown, row: Row): void {
  const found = index.get(key);
  if (!Array.isArray(found)) {
    if (found === row) index.delete(key);
    return;
  }
  const at = found.indexOf(row);
  if (at !== -1) found.splice(at, 1);
  if (found.length === 0) index.delete(key);
}
