import { encodeSet, encodeValue } from "./codec.ts";
import { SchemaMismatchError } from "./errors.ts";
import type { Json } from "./json.ts";
import type { ColumnSchema, TableSchema } from "./schema.ts";
import type { Atom, Row, Value } from "./value.ts";

/** `[column, function, value]` with the caller's values, untyped. */
export type AnyCondition = readonly [column: string, relation: string, value: unknown];

/**
 * A condition in wire form (RFC 7047 section 5.1).
 *
 * @throws SchemaMismatchError, BadValueError
 */
export function encodeCondition(table: TableSchema, [name, relation, value]: AnyCondition): Json {
  if (name === "_uuid") return [name, relation, ["uuid", String(value)]];
  const column = columnOf(table, name);
  if (column.shape === "map" || !isPartial(relation)) return [name, relation, encodeValue(column, value)];
  return [name, relation, ["set", encodeSet(column, isSeveral(value) ? value : [value])]];
}

/** Whether a row meets a condition, as the server would find it (RFC 7047 section 5.1, `<function>`). */
export function meets(table: TableSchema, row: Row, [name, relation, value]: AnyCondition): boolean {
  const held = row[name];
  const single = name === "_uuid" || columnOf(table, name).shape === "scalar";
  const wanted = atoms(value as Value, isSeveral(value));
  const has = atoms(held, !single && isSeveral(held));
  const holds = (atom: unknown) =>
    Array.isArray(atom) ? held instanceof Map && held.get(atom[0]) === atom[1] : has.includes(atom);
  switch (relation) {
    case "==":
      return wanted.length === has.length && wanted.every(holds);
    case "!=":
      return wanted.length !== has.length || !wanted.every(holds);
    case "includes":
      return wanted.every(holds);
    case "excludes":
      return !wanted.some(holds);
    default: {
      // An order is defined for numbers only; an optional one that is empty meets none.
      const [left] = has;
      const [right] = wanted;
      if (!isNumber(left) || !isNumber(right)) return false;
      if (relation === "<") return left < right;
      if (relation === "<=") return left <= right;
      return relation === ">" ? left > right : left >= right;
    }
  }
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function isPartial(relation: string): boolean {
  return relation === "includes" || relation === "excludes";
}

function isSeveral(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

/** The elements of a value: atoms, or pairs. */
function atoms(value: Value | Iterable<Atom>, several: boolean): readonly unknown[] {
  if (several) return [...(value as Iterable<unknown>)];
  return value === undefined ? [] : [value];
}

function columnOf(table: TableSchema, name: string): ColumnSchema {
  const column = table.columns.get(name);
  if (column === undefined) throw new SchemaMismatchError(`the table ${table.name} has no column ${name}`);
  return column;
}
