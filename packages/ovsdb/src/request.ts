import { SchemaMismatchError } from "./errors.ts";
import type { TableRequest } from "./negotiate.ts";
import type { DatabaseSchema, TableSchema } from "./schema.ts";
import type { DatabaseOptions } from "./types.ts";

/**
 * What of each table is to be monitored.
 *
 * @throws SchemaMismatchError
 */
export function tableRequests<T>(options: DatabaseOptions<T>): Map<string, TableRequest> {
  const monitor: { readonly [table: string]: unknown } | undefined = options.monitor;
  const requests = new Map<string, TableRequest>();
  for (const name of monitor === undefined ? options.schema.tables.keys() : Object.keys(monitor)) {
    const all = [...tableSchema(options.schema, name).columns.keys()];
    const given = monitor?.[name] ?? true;
    if (given === true) requests.set(name, { columns: all, where: true });
    else if (Array.isArray(given)) requests.set(name, { columns: known(name, all, given), where: true });
    else {
      const { columns, where } = given as { columns?: string[]; where?: TableRequest["where"] };
      requests.set(name, { columns: columns === undefined ? all : known(name, all, columns), where: where ?? true });
    }
  }
  return requests;
}

function known(table: string, all: readonly string[], wanted: readonly string[]): readonly string[] {
  const stranger = wanted.find((name) => name !== "_uuid" && !all.includes(name));
  if (stranger !== undefined) throw new SchemaMismatchError(`the table ${table} has no column ${stranger}`);
  return wanted;
}

/** @throws SchemaMismatchError */
export function tableSchema(schema: DatabaseSchema, name: string): TableSchema {
  const table = schema.tables.get(name);
  if (table === undefined) throw new SchemaMismatchError(`the schema ${schema.name} has no table ${name}`);
  return table;
}
