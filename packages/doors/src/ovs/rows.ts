/** Tables, rows and columns by names that are known only when a command is called. */
import { YardError } from "@switchyard/base";
import { type ColumnSchema, isUuid, type Row, type TableSchema, type Transaction, type Uuid } from "@switchyard/ovsdb";
import { type OpenVSwitchTables, type Switch, schema } from "@switchyard/vswitch";

/** The same database, its tables any. */
export interface AnyRows {
  readonly [table: string]: Row & { readonly _uuid: Uuid };
}

/** Where rows are looked for: a replica, or a transaction, which guards what it finds. */
export interface RowSource {
  all(table: string): Iterable<AnyRows[string]>;
  get(table: string, uuid: Uuid): AnyRows[string] | undefined;
}

export function replicaRows(db: Switch): RowSource {
  const table = (name: string) => db.table(tableName(name)) as unknown as Iterable<AnyRows[string]>;
  return {
    all: table,
    get: (name, uuid) => db.table(tableName(name)).get(uuid) as unknown as AnyRows[string] | undefined,
  };
}

/** A transaction, its tables any. */
export function anyTables(tx: Transaction<OpenVSwitchTables>): Transaction<AnyRows> {
  // The transaction itself knows its tables only by name; what is written is checked against the schema there.
  return tx as unknown as Transaction<AnyRows>;
}

export function transactionRows(tx: Transaction<OpenVSwitchTables>): RowSource {
  const any = anyTables(tx);
  return { all: (table) => any.rows(table), get: (table, uuid) => any.get(table, uuid) };
}

/** A table by its name, whatever the case. @throws YardError `ovs.no-table` */
export function tableOf(name: string): TableSchema {
  const lower = name.toLowerCase();
  const table = schema.tables.get(name) ?? [...schema.tables.values()].find((one) => one.name.toLowerCase() === lower);
  if (table !== undefined) return table;
  throw new YardError("ovs.no-table", `the switch's database has no table ${JSON.stringify(name)}`, {
    hint: `there are ${[...schema.tables.keys()].join(", ")}`,
  });
}

function tableName(name: string): keyof OpenVSwitchTables {
  // Its name stands in the schema that the type was generated from.
  return tableOf(name).name as keyof OpenVSwitchTables;
}

/** A column by its name; a `-` may stand for `_`. @throws YardError `ovs.no-column` */
export function columnOf(table: TableSchema, name: string): ColumnSchema {
  const column = table.columns.get(name) ?? table.columns.get(name.replaceAll("-", "_"));
  if (column !== undefined) return column;
  throw new YardError("ovs.no-column", `the table ${table.name} has no column ${JSON.stringify(name)}`, {
    hint: `it has ${[...table.columns.keys()].join(", ")}`,
  });
}

/** How ovs-vsctl(8) names rows that have no name: by the row that refers to them. */
const indirect: Readonly<Record<string, { readonly table: string; readonly by: string; readonly column: string }>> = {
  Controller: { table: "Bridge", by: "name", column: "controller" },
  NetFlow: { table: "Bridge", by: "name", column: "netflow" },
  sFlow: { table: "Bridge", by: "name", column: "sflow" },
  IPFIX: { table: "Bridge", by: "name", column: "ipfix" },
  AutoAttach: { table: "Bridge", by: "name", column: "auto_attach" },
  QoS: { table: "Port", by: "name", column: "qos" },
};

/**
 * The row that a word means, as to ovs-vsctl(8): its name or target, its UUID or the first four digits and more of
 * that, `.` for the only row of its table; a bridge's or a port's name for what belongs to one.
 *
 * @throws YardError `ovs.no-record`, `ovs.ambiguous-record`
 */
export function recordOf(source: RowSource, table: TableSchema, word: string): AnyRows[string] {
  const found = candidates(source, table, word);
  const [first, second] = found;
  if (first === undefined)
    throw new YardError("ovs.no-record", `the table ${table.name} has no row ${JSON.stringify(word)}`, {
      hint: `those that it has are listed by: yard ovs list ${table.name}`,
    });
  if (second !== undefined)
    throw new YardError("ovs.ambiguous-record", `${found.length} rows of ${table.name} are meant by ${word}`, {
      hint: "give the UUID of one",
    });
  return first;
}

function candidates(source: RowSource, table: TableSchema, word: string): AnyRows[string][] {
  if (isUuid(word)) {
    const row = source.get(table.name, word);
    return row === undefined ? [] : [row];
  }
  if (word === ".") return [...source.all(table.name)];
  const own = ["name", "target", "id"].find((column) => table.columns.has(column));
  if (own !== undefined) {
    const named = [...source.all(table.name)].filter((row) => String(row[own]) === word);
    if (named.length > 0) return named;
  }
  const way = indirect[table.name];
  if (way !== undefined) {
    const owner = [...source.all(way.table)].find((row) => row[way.by] === word)?.[way.column];
    const uuids = owner instanceof Set ? [...owner] : owner === undefined ? [] : [owner];
    const rows = uuids.flatMap((uuid) =>
      typeof uuid === "string" && isUuid(uuid) ? (source.get(table.name, uuid) ?? []) : [],
    );
    if (rows.length > 0) return rows;
  }
  if (!/^[0-9a-f-]{4,36}$/.test(word)) return [];
  return [...source.all(table.name)].filter((row) => row._uuid.startsWith(word));
}
