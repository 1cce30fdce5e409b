import { BadSchemaError } from "./errors.ts";
import { isArray, isObject, type Json, type JsonObject } from "./json.ts";
import type { Atom } from "./value.ts";

/** The five types of RFC 7047 section 3.2, `<atomic-type>`. */
export type AtomType = "integer" | "real" | "boolean" | "string" | "uuid";

/** RFC 7047 section 3.2, `<base-type>`. */
export interface BaseType {
  readonly type: AtomType;
  readonly enum?: readonly Atom[];
  readonly minInteger?: number | bigint;
  readonly maxInteger?: number | bigint;
  readonly minReal?: number;
  readonly maxReal?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly refTable?: string;
  readonly refType?: "strong" | "weak";
}

/** How a column's value is shown: one value, a value or `undefined`, a Set, a Map. */
export type Shape = "scalar" | "optional" | "set" | "map";

/** RFC 7047 section 3.2, `<column-schema>` with its `<type>` written out. */
export interface ColumnSchema {
  readonly name: string;
  readonly shape: Shape;
  readonly key: BaseType;
  /** Of maps only. */
  readonly value: BaseType | undefined;
  readonly min: 0 | 1;
  /** `Infinity` for "unlimited". */
  readonly max: number;
  readonly ephemeral: boolean;
  readonly mutable: boolean;
}

/** RFC 7047 section 3.2, `<table-schema>`. */
export interface TableSchema {
  readonly name: string;
  readonly columns: ReadonlyMap<string, ColumnSchema>;
  /** Whether rows stay that nothing refers to. */
  readonly isRoot: boolean;
  readonly maxRows: number;
  readonly indexes: readonly (readonly string[])[];
}

/** RFC 7047 section 3.2, `<database-schema>`. */
export interface DatabaseSchema {
  readonly name: string;
  readonly version: string;
  readonly tables: ReadonlyMap<string, TableSchema>;
}

declare const rows: unique symbol;

/** A schema that knows the types of its tables' rows; the generator writes one per `.ovsschema`. */
export interface Schema<Tables> extends DatabaseSchema {
  readonly [rows]?: Tables;
}

/**
 * A schema with the row types that the generator found for it.
 *
 * @throws BadSchemaError
 */
export function defineSchema<Tables>(document: unknown): Schema<Tables> {
  return parseSchema(document);
}

/**
 * Reads a schema document (the parsed JSON of an `.ovsschema` file or of `get_schema`). Members that this version
 * does not know are passed over, as ovsdb-server(1) will have more of them one day.
 *
 * @throws BadSchemaError naming the place
 */
export function parseSchema(document: unknown): DatabaseSchema {
  const schema = object(document, "the schema");
  const name = identifier(schema.name, "the schema's name");
  const tables = Object.entries(object(schema.tables, `${name}.tables`));
  // ovsdb-server(5), `isRoot`: in a schema without any root table, all of them are.
  const allRoot = !tables.some(([, table]) => isObject(table) && table.isRoot === true);
  return {
    name,
    version: typeof schema.version === "string" ? schema.version : "0.0.0",
    tables: new Map(
      tables.map(([table, definition]) => [
        identifier(table, `a table's name in ${name}`),
        parseTable(table, definition, allRoot),
      ]),
    ),
  };
}

function parseTable(name: string, json: Json, allRoot: boolean): TableSchema {
  const table = object(json, name);
  const columns = new Map(
    Object.entries(object(table.columns, `${name}.columns`)).map(([column, definition]) => [
      identifier(column, `a column's name in ${name}`),
      parseColumn(column, definition, `${name}.${column}`),
    ]),
  );
  const indexes = table.indexes ?? [];
  if (!isArray(indexes)) throw new BadSchemaError(`${name}.indexes is no array`);
  return {
    name,
    columns,
    isRoot: allRoot || table.isRoot === true,
    maxRows: typeof table.maxRows === "number" ? table.maxRows : Number.POSITIVE_INFINITY,
    indexes: indexes.map((index) => {
      if (!isArray(index) || !index.every((column) => typeof column === "string" && columns.has(column)))
        throw new BadSchemaError(`${name}.indexes names a column that the table does not have`);
      return index.map(String);
    }),
  };
}

function parseColumn(name: string, json: Json, where: string): ColumnSchema {
  const column = object(json, where);
  const common = { name, ephemeral: column.ephemeral === true, mutable: column.mutable !== false };
  const type = column.type;
  if (typeof type === "string")
    return { ...common, shape: "scalar", key: parseBase(type, where), value: undefined, min: 1, max: 1 };
  const whole = object(type, `${where}.type`);
  const min = whole.min ?? 1;
  const max = whole.max ?? 1;
  if (min !== 0 && min !== 1) throw new BadSchemaError(`${where}.type.min is neither 0 nor 1`);
  if (max !== "unlimited" && !(typeof max === "number" && Number.isInteger(max) && max >= 1))
    throw new BadSchemaError(`${where}.type.max is neither "unlimited" nor an integer of 1 or more`);
  const value = whole.value === undefined ? undefined : parseBase(whole.value, `${where}.type.value`);
  return {
    ...common,
    shape: value !== undefined ? "map" : max !== 1 ? "set" : min === 0 ? "optional" : "scalar",
    key: parseBase(whole.key, `${where}.type.key`),
    value,
    min,
    max: max === "unlimited" ? Number.POSITIVE_INFINITY : max,
  };
}

function parseBase(json: Json | undefined, where: string): BaseType {
  if (typeof json === "string") return { type: atomType(json, where) };
  const base = object(json, where);
  const type = atomType(base.type, where);
  const refTable = base.refTable;
  return {
    type,
    ...(base.enum === undefined ? {} : { enum: parseEnum(base.enum, where) }),
    ...integers(base, "minInteger"),
    ...integers(base, "maxInteger"),
    ...numbers(base, "minReal"),
    ...numbers(base, "maxReal"),
    ...numbers(base, "minLength"),
    ...numbers(base, "maxLength"),
    ...(typeof refTable === "string"
      ? { refTable, refType: base.refType === "weak" ? ("weak" as const) : ("strong" as const) }
      : {}),
  };
}

/** RFC 7047 section 3.2: an enumeration is a set, and a set of one may be written bare. */
function parseEnum(json: Json, where: string): readonly Atom[] {
  const items = isArray(json) && json[0] === "set" && isArray(json[1]) ? json[1] : [json];
  return items.map((item) => {
    if (item === null || typeof item === "object") throw new BadSchemaError(`${where}.enum holds what is no atom`);
    return item;
  });
}

function atomType(json: Json | undefined, where: string): AtomType {
  switch (json) {
    case "integer":
    case "real":
    case "boolean":
    case "string":
    case "uuid":
      return json;
    default:
      throw new BadSchemaError(`${where} has no type that RFC 7047 knows`);
  }
}

function numbers<Name extends string>(base: JsonObject, name: Name): { [N in Name]?: number } {
  const limit = base[name];
  const found: { [N in Name]?: number } = {};
  if (typeof limit === "number") found[name] = limit;
  return found;
}

function integers<Name extends string>(base: JsonObject, name: Name): { [N in Name]?: number | bigint } {
  const limit = base[name];
  const found: { [N in Name]?: number | bigint } = {};
  if (typeof limit === "number" || typeof limit === "bigint") found[name] = limit;
  return found;
}

function identifier(json: unknown, what: string): string {
  // RFC 7047 section 3.1, <id>; a leading underscore is the server's own (section 3.2).
  if (typeof json !== "string" || !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(json))
    throw new BadSchemaError(`${what} is no identifier: ${JSON.stringify(json)}`);
  if (json === "__proto__") throw new BadSchemaError(`${what} cannot be __proto__`);
  return json;
}

function object(json: unknown, what: string): JsonObject {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new BadSchemaError(`${what} is no JSON object`);
  return json as JsonObject;
}
