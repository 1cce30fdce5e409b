import { encodeValue } from "./codec.ts";
import { type AnyCondition, encodeCondition, meets } from "./condition.ts";
import type { Json, JsonObject } from "./json.ts";
import { type Operation, whereUuid } from "./operation.ts";
import type { ReplicaTable, RowWhere } from "./replica.ts";
import type { BaseType, ColumnSchema } from "./schema.ts";
import type { Row } from "./value.ts";

const NOTHING: ReadonlySet<string> = new Set();

interface TableReads {
  readonly table: ReplicaTable;
  /** Rows that were looked at, with the columns that were; a row that was not there is `undefined`. */
  readonly rows: Map<string, { readonly row: Row | undefined; readonly columns: Set<string> }>;
  /** Searches by equality, with the rows that they found. */
  readonly queries: { readonly where: RowWhere; readonly found: readonly Row[] }[];
  /** All rows that there were, once the reader has seen which there are. */
  scanned: readonly Row[] | undefined;
}

/**
 * What a transaction has read, as `wait` operations that fail when it is not so any more (RFC 7047 section 5.2.6):
 * only the columns that were looked at count, so that a status column may change under a writer who does not care.
 */
export class Guards {
  readonly #reads = new Map<string, TableReads>();
  readonly #served: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #monitored: (table: string) => readonly AnyCondition[] | true;

  /**
   * @param served the columns that the server has: the others cannot change, nor be asked for
   * @param monitored the conditions that the rows in the replica meet: others may well be on the server
   */
  constructor(
    served: ReadonlyMap<string, ReadonlySet<string>>,
    monitored: (table: string) => readonly AnyCondition[] | true,
  ) {
    this.#served = served;
    this.#monitored = monitored;
  }

  /**
   * Notes that `uuid` is there, or is not.
   *
   * @returns the row as it was when the transaction first looked: should it have changed since, the guard will tell
   */
  presence(table: ReplicaTable, uuid: string): Row | undefined {
    return this.#row(table, uuid, table.get(uuid)).row;
  }

  /** Notes a search by equality. */
  query(table: ReplicaTable, where: RowWhere, found: readonly Row[]): void {
    const [only, ...more] = found;
    const unique = table.schema.indexes.some((index) => index.every((name) => Object.hasOwn(where, name)));
    if (only !== undefined && more.length === 0 && unique) {
      // There can be no other: that this row is still so says it all, and the server need not search for it.
      const { columns } = this.#row(table, String(only._uuid), only);
      for (const name of Object.keys(where)) if (name !== "_uuid") columns.add(name);
      return;
    }
    const served = this.#served.get(table.schema.name);
    const asked = Object.entries(where).filter(([name]) => name === "_uuid" || served?.has(name));
    this.#of(table).queries.push({ where: Object.fromEntries(asked), found });
  }

  /** Notes that all rows were seen. */
  scan(table: ReplicaTable): void {
    this.#of(table).scanned ??= [...table];
  }

  /**
   * `row` for a reader whose looks are noted.
   *
   * @param shown the row as the transaction has changed it so far
   * @param own columns whose value is the transaction's own, which nobody needs to guard
   */
  watch(table: ReplicaTable, row: Row, shown: Row = row, own: ReadonlySet<string> = NOTHING): Row {
    const uuid = String(row._uuid);
    return new Proxy(shown, {
      get: (target, column) => {
        if (typeof column !== "string") return undefined;
        if (column !== "_uuid" && table.columns.has(column) && !own.has(column))
          this.#row(table, uuid, row).columns.add(column);
        return target[column];
      },
    });
  }

  operations(): Operation[] {
    return [...this.#reads].flatMap(([name, reads]) => {
      const served = this.#served.get(name);
      return served === undefined ? [] : tableGuards(reads, served, this.#monitored(name));
    });
  }

  /**
   * The guards as conditions on one row, if nothing else was looked at: an operation on just that row can carry them
   * itself, and spares the server one.
   */
  ofRow(name: string, uuid: string): readonly Json[] | undefined {
    const reads = this.#reads.get(name);
    const served = this.#served.get(name);
    if (this.#reads.size !== 1 || reads === undefined || served === undefined) return undefined;
    const { table, rows, queries, scanned } = reads;
    const read = rows.get(uuid);
    if (scanned !== undefined || queries.length > 0 || rows.size !== 1 || read?.row === undefined) return undefined;
    const conditions: Json[] = [];
    for (const column of read.columns)
      if (served.has(column)) conditions.push([column, "==", encode(table, column, read.row[column])]);
    return conditions;
  }

  #of(table: ReplicaTable): TableReads {
    let reads = this.#reads.get(table.schema.name);
    if (reads === undefined) {
      reads = { table, rows: new Map(), queries: [], scanned: undefined };
      this.#reads.set(table.schema.name, reads);
    }
    return reads;
  }

  #row(
    table: ReplicaTable,
    uuid: string,
    row: Row | undefined,
  ): { readonly row: Row | undefined; readonly columns: Set<string> } {
    const { rows } = this.#of(table);
    let read = rows.get(uuid);
    if (read === undefined) {
      read = { row, columns: new Set() };
      rows.set(uuid, read);
    }
    return read;
  }
}

function tableGuards(
  { table, rows, queries, scanned }: TableReads,
  served: ReadonlySet<string>,
  monitored: readonly AnyCondition[] | true,
): Operation[] {
  const guards: Operation[] = [];
  /** That `found` are all rows that meet `where`, among those that are monitored. */
  const all = (where: readonly Json[], columns: readonly string[], found: readonly Row[]) => {
    if (monitored === true) guards.push(wait(table, where, columns, found));
    else
      for (const condition of monitored) {
        if (condition[0] !== "_uuid" && !served.has(condition[0])) continue;
        const among = found.filter((row) => meets(table.schema, row, condition));
        guards.push(wait(table, [...where, encodeCondition(table.schema, condition)], columns, among));
      }
  };
  const covered = scanned === undefined ? [] : sharedColumns(scanned, rows).filter((name) => served.has(name));
  if (scanned !== undefined) all([], covered, scanned);
  for (const { where, found } of queries)
    all(
      Object.keys(where).map((name) => [name, "==", encode(table, name, where[name])]),
      [],
      found,
    );
  for (const [uuid, { row, columns }] of rows) {
    const rest = [...columns].filter((name) => served.has(name) && !covered.includes(name));
    const where = whereUuid(["uuid", uuid]);
    if (row === undefined) all(where, [], []);
    else if (scanned === undefined || rest.length > 0) guards.push(wait(table, where, rest, [row]));
  }
  return guards;
}

/** The columns that were looked at in each and every row: one guard does for them. */
function sharedColumns(scanned: readonly Row[], rows: TableReads["rows"]): string[] {
  let shared: string[] | undefined;
  for (const { _uuid } of scanned) {
    const columns = rows.get(String(_uuid))?.columns;
    if (columns === undefined) return [];
    shared = shared === undefined ? [...columns] : shared.filter((name) => columns.has(name));
  }
  return shared ?? [];
}

function wait(
  table: ReplicaTable,
  where: readonly Json[],
  columns: readonly string[],
  rows: readonly Row[],
): Operation {
  const names = columns.length === 0 ? ["_uuid"] : columns;
  // More than one row, or none perhaps: the rows must be told apart by what they are.
  const identified = where.length !== 1 || columns.length === 0 || rows.length !== 1 ? ["_uuid", ...columns] : names;
  return {
    op: "wait",
    table: table.schema.name,
    timeout: 0,
    where,
    columns: identified,
    until: "==",
    rows: rows.map((row) => {
      const wire: { [column: string]: Json } = {};
      for (const name of identified) wire[name] = encode(table, name, row[name]);
      return wire as JsonObject;
    }),
  };
}

const loosened = new WeakMap<ColumnSchema, ColumnSchema>();

function encode(table: ReplicaTable, name: string, value: unknown): Json {
  const column = table.columns.get(name);
  if (column === undefined) return ["uuid", String(value)];
  // The value is the server's own: a newer schema may allow what ours does not.
  let loose = loosened.get(column);
  if (loose === undefined) {
    const base = ({ type }: BaseType): BaseType => ({ type });
    loose = {
      ...column,
      key: base(column.key),
      value: column.value && base(column.value),
      min: 0,
      max: Number.POSITIVE_INFINITY,
    };
    loosened.set(column, loose);
  }
  return encodeValue(loose, value);
}
