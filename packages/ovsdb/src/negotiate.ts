import { type AnyCondition, encodeCondition } from "./condition.ts";
import { SchemaMismatchError } from "./errors.ts";
import type { Json, JsonObject } from "./json.ts";
import type { ColumnSchema, DatabaseSchema } from "./schema.ts";
import type { SchemaDifferences } from "./types.ts";

/** What of a table is wanted, untyped: its columns, and conditions in the caller's values. */
export interface TableRequest {
  readonly columns: readonly string[];
  where: readonly AnyCondition[] | true;
}

/** Our schema as far as a server has it. */
export interface Negotiated {
  readonly served: ReadonlyMap<string, ReadonlySet<string>>;
  readonly differences: SchemaDifferences;
}

/** Holds our schema against the server's: each may be newer in some places. */
export function negotiate(ours: DatabaseSchema, theirs: DatabaseSchema): Negotiated {
  const served = new Map<string, ReadonlySet<string>>();
  const missingTables: string[] = [];
  const missingColumns: string[] = [];
  const changedColumns: string[] = [];
  for (const [name, table] of ours.tables) {
    const other = theirs.tables.get(name);
    if (other === undefined) {
      missingTables.push(name);
      continue;
    }
    const columns = new Set<string>();
    for (const [column, definition] of table.columns) {
      const counterpart = other.columns.get(column);
      if (counterpart === undefined) missingColumns.push(`${name}.${column}`);
      else if (!readable(definition, counterpart)) changedColumns.push(`${name}.${column}`);
      else columns.add(column);
    }
    served.set(name, columns);
  }
  return { served, differences: { version: theirs.version, missingTables, missingColumns, changedColumns } };
}

/** Ranges, enumerations and references may differ: what the server holds can be read all the same. */
function readable(ours: ColumnSchema, theirs: ColumnSchema): boolean {
  return ours.shape === theirs.shape && ours.key.type === theirs.key.type && ours.value?.type === theirs.value?.type;
}

/** `<monitor-requests>` of RFC 7047 section 4.1.5 and `<monitor-cond-requests>` of ovsdb-server(7). */
export function monitorRequests(
  schema: DatabaseSchema,
  requests: ReadonlyMap<string, TableRequest>,
  { served }: Negotiated,
): { readonly plain: JsonObject; readonly conditional: JsonObject } {
  const plain: { [table: string]: Json } = {};
  const conditional: { [table: string]: Json } = {};
  for (const [name, request] of requests) {
    const there = served.get(name);
    if (there === undefined) continue;
    const columns = request.columns.filter((column) => there.has(column));
    plain[name] = { columns };
    conditional[name] =
      request.where === true
        ? [{ columns }]
        : [{ columns, where: encodeConditions(schema, name, request.where, there) }];
  }
  return { plain, conditional };
}

/** Conditions in wire form: any of them suffices. Those on a column that the server lacks can hold for no row. */
export function encodeConditions(
  schema: DatabaseSchema,
  name: string,
  where: TableRequest["where"],
  served?: ReadonlySet<string>,
): readonly Json[] {
  if (where === true) return [true];
  const table = schema.tables.get(name);
  if (table === undefined) throw new SchemaMismatchError(`the schema has no table ${name}`);
  const wire = where
    .filter(([column]) => served === undefined || column === "_uuid" || served.has(column))
    .map((condition) => encodeCondition(table, condition));
  return wire.length === 0 ? [false] : wire;
}
