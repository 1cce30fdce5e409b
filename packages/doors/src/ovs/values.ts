/** Column values from and to what people and programs write. */
import { YardError } from "@switchyard/base";
import {
  type Atom,
  type BaseType,
  type ColumnSchema,
  isUuid,
  type Row,
  type TableSchema,
  type Value,
} from "@switchyard/ovsdb";
import { columnOf, type RowSource, recordOf, tableOf } from "./rows.ts";

/** A value as JSON has it, or as text in ovs-vsctl(8)'s form: `[1, 2]`, `{a=b, c=d}`, `10`, `"quoted"`. */
export type Written = string | number | boolean | null | readonly Written[] | { readonly [key: string]: Written };

/** One assignment: a column's whole value, or the entry of one key of a map. */
export type Assignment =
  | { readonly column: ColumnSchema; readonly value: Value }
  | { readonly column: ColumnSchema; readonly key: Atom; readonly value: Atom };

/**
 * Reads `{"type": "patch", "options:peer": "x"}`.
 *
 * @throws YardError `ovs.no-column`, `ovs.bad-value`, `ovs.no-record`
 */
export function assignments(
  table: TableSchema,
  entries: Readonly<Record<string, Written>>,
  source: RowSource,
): Assignment[] {
  return Object.entries(entries).map(([name, written]) => {
    const colon = name.indexOf(":");
    const column = columnOf(table, colon < 0 ? name : name.slice(0, colon));
    if (colon < 0) return { column, value: wholeValue(table, column, written, source) };
    if (column.value === undefined)
      throw new YardError("ovs.no-column", `${table.name}.${column.name} holds no keys, so ${name} is none of them`);
    const where = `${table.name}.${column.name}`;
    return {
      column,
      key: atom(column.key, name.slice(colon + 1), where, source),
      value: atom(column.value, written, where, source),
    };
  });
}

/** Assignments as the columns of a new row. */
export function columnsOf(list: readonly Assignment[]): Record<string, unknown> {
  const columns: Record<string, unknown> = {};
  for (const one of list) {
    const { name } = one.column;
    if (!("key" in one)) columns[name] = one.value;
    else {
      const before: unknown = columns[name];
      columns[name] = new Map<unknown, unknown>(before instanceof Map ? before : []).set(one.key, one.value);
    }
  }
  return columns;
}

function wholeValue(table: TableSchema, column: ColumnSchema, written: Written, source: RowSource): Value {
  const where = `${table.name}.${column.name}`;
  switch (column.shape) {
    case "scalar":
      return atom(column.key, written, where, source);
    case "optional": {
      if (written === null || written === "[]" || (Array.isArray(written) && written.length === 0)) return undefined;
      const one = Array.isArray(written) && written.length === 1 ? written[0] : written;
      return atom(column.key, one ?? null, where, source);
    }
    case "set":
      return new Set(items(written, where).map((item) => atom(column.key, item, where, source)));
    case "map": {
      const base = column.value ?? column.key;
      return new Map(
        pairs(written, where).map(([key, value]) => [
          atom(column.key, key, where, source),
          atom(base, value, where, source),
        ]),
      );
    }
  }
}

/** One value of a base type. Text is taken as it stands, unless all of it is quoted as JSON. */
function atom(base: BaseType, written: Written, where: string, source: RowSource): Atom {
  const bad = (expected: string): never => {
    throw new YardError("ovs.bad-value", `${where} takes ${expected}, not ${JSON.stringify(written)}`);
  };
  if (written === null || typeof written === "object") return bad(`a ${base.type}`);
  const text = unquoted(String(written));
  switch (base.type) {
    case "string":
      if (base.enum !== undefined && !base.enum.includes(text)) return bad(`one of ${base.enum.join(", ")}`);
      return text;
    case "integer": {
      if (!/^-?\d{1,19}$/.test(text)) return bad("a whole number");
      const number = Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
      const [least, most] = [base.minInteger, base.maxInteger];
      if ((least !== undefined && number < least) || (most !== undefined && number > most))
        return bad(`a whole number ${most === undefined ? `from ${least}` : `from ${least ?? "-2^63"} to ${most}`}`);
      return number;
    }
    case "real":
      return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : bad("a number");
    case "boolean":
      if (/^(true|yes|on|1)$/.test(text)) return true;
      return /^(false|no|off|0)$/.test(text) ? false : bad("true or false");
    case "uuid":
      if (isUuid(text)) return text.toLowerCase();
      return base.refTable === undefined ? bad("a UUID") : recordOf(source, tableOf(base.refTable), text)._uuid;
  }
}

function unquoted(text: string): string {
  if (!/^".*"$/s.test(text)) return text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : text;
  } catch {
    return text;
  }
}

function items(written: Written, where: string): readonly Written[] {
  if (Array.isArray(written)) return written;
  if (written === null) return [];
  if (typeof written !== "string") return [written];
  return split(written.replace(/^\s*\[(.*)\]\s*$/s, "$1"), where);
}

function pairs(written: Written, where: string): (readonly [string, Written])[] {
  if (written !== null && typeof written === "object" && !isList(written)) return Object.entries(written);
  return items(typeof written === "string" ? written.replace(/^\s*\{(.*)\}\s*$/s, "$1") : written, where).map(
    (item) => {
      const [, key, value] = /^((?:"(?:[^"\\]|\\.)*"|[^=])+)=(.*)$/s.exec(String(item)) ?? [];
      if (key === undefined || value === undefined)
        throw new YardError("ovs.bad-value", `${where} takes key=value, not ${JSON.stringify(item)}`);
      return [unquoted(key.trim()), value.trim()] as const;
    },
  );
}

function isList(written: Written): written is readonly Written[] {
  return Array.isArray(written);
}

/** What stands between commas outside of quotes. */
function split(text: string, where: string): string[] {
  if (text.trim() === "") return [];
  const parts = text.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/gs) ?? [];
  if (parts.join(",").length !== text.length)
    throw new YardError("ovs.bad-value", `${where} takes values with commas between, not ${JSON.stringify(text)}`);
  return parts.map((part) => part.trim());
}

/** A value as JSON has it: sets as arrays, maps as objects, nothing as null. */
export function toJson(value: Value): Written {
  if (value === undefined) return null;
  if (value instanceof Set) return [...value].map(atomJson);
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, entry]) => [String(key), atomJson(entry)] as const));
  return typeof value === "object" ? null : atomJson(value);
}

/** Beyond what a JSON number holds exactly, digits as text. */
function atomJson(value: Atom): string | number | boolean {
  return typeof value === "bigint" ? String(value) : value;
}

/** A row as JSON has it, `_uuid` first. */
export function rowJson(row: Row, columns?: readonly string[]): { readonly [column: string]: Written } {
  const names = columns ?? Object.keys(row);
  return Object.fromEntries(names.map((name) => [name, toJson(row[name])]));
}
