import { BadValueError } from "./errors.ts";
import { isArray, type Json } from "./json.ts";
import type { BaseType, ColumnSchema } from "./schema.ts";
import {
  type Atom,
  emptyMap,
  emptySet,
  FrozenMap,
  FrozenSet,
  frozenMap,
  frozenSet,
  isUuid,
  type Value,
} from "./value.ts";

const ZERO_UUID = "00000000-0000-0000-0000-000000000000";
const addTo = Set.prototype.add;
const setIn = Map.prototype.set;

/** How a reference is written: rows of the transaction itself may go by a name (RFC 7047 section 5.1). */
export type WriteUuid = (uuid: string, base: BaseType) => Json;
const plainUuid: WriteUuid = (uuid) => ["uuid", uuid];

/** What `initial` and `insert` leave out because it is the column's default (ovsdb-server(7), `<row-update2>`). */
export function defaultValue(column: ColumnSchema): Value {
  switch (column.shape) {
    case "scalar":
      return defaultAtom(column.key);
    case "optional":
      return undefined;
    case "set":
      return emptySet;
    case "map":
      return emptyMap;
  }
}

function defaultAtom(base: BaseType): Atom {
  switch (base.type) {
    case "integer":
    case "real":
      return 0;
    case "boolean":
      return false;
    case "string":
      return "";
    case "uuid":
      return ZERO_UUID;
  }
}

/**
 * Reads a column's whole value from its wire form.
 *
 * @throws BadValueError when it does not have the column's type; ranges and enumerations are the server's business
 */
export function decodeValue(column: ColumnSchema, json: Json): Value {
  switch (column.shape) {
    case "scalar":
      return decodeAtom(column, column.key, json);
    case "optional": {
      const items = setItems(json);
      if (items === undefined) return decodeAtom(column, column.key, json);
      if (items.length > 1) return wrong(column, json);
      const item = items[0];
      return item === undefined ? undefined : decodeAtom(column, column.key, item);
    }
    case "set": {
      const items = setItems(json) ?? [json];
      if (items.length === 0) return emptySet;
      const set = new FrozenSet<Atom>();
      for (const item of items) addTo.call(set, decodeAtom(column, column.key, item));
      return set;
    }
    case "map": {
      const pairs = mapPairs(column, json);
      if (pairs.length === 0) return emptyMap;
      const map = new FrozenMap<Atom, Atom>();
      for (const pair of pairs) setIn.call(map, decodeKey(column, pair), decodeMember(column, pair));
      return map;
    }
  }
}

/**
 * Applies the diff of an `update2` `modify` (ovsdb-server(7), section 4.1.14) to a column's old value.
 *
 * @throws BadValueError
 */
export function applyDiff(column: ColumnSchema, old: Value, diff: Json): Value {
  switch (column.shape) {
    case "scalar":
      return decodeAtom(column, column.key, diff);
    case "optional":
      // ovsdb/monitor.c compares element by element only where a column may hold more than one.
      return decodeValue(column, diff);
    case "set": {
      const set = new Set(old instanceof Set ? (old as ReadonlySet<Atom>) : []);
      for (const item of setItems(diff) ?? [diff]) {
        const atom = decodeAtom(column, column.key, item);
        if (!set.delete(atom)) set.add(atom);
      }
      return frozenSet(set);
    }
    case "map": {
      if (column.max === 1) return decodeValue(column, diff);
      const map = new Map(old instanceof Map ? (old as ReadonlyMap<Atom, Atom>) : []);
      for (const pair of mapPairs(column, diff)) {
        const key = decodeKey(column, pair);
        const value = decodeMember(column, pair);
        if (map.get(key) === value) map.delete(key);
        else map.set(key, value);
      }
      return frozenMap(map);
    }
  }
}

/**
 * Writes a column's value in its wire form.
 *
 * @param value what the caller gave: a Set or any iterable of atoms, a Map, pairs or a plain object
 * @throws BadValueError when it does not fit the column: its type, range, enumeration, size
 */
export function encodeValue(column: ColumnSchema, value: unknown, uuid: WriteUuid = plainUuid): Json {
  switch (column.shape) {
    case "scalar":
      return encodeAtom(column, column.key, value, uuid);
    case "optional":
      return value === undefined ? ["set", []] : encodeAtom(column, column.key, value, uuid);
    case "set": {
      const items = encodeSet(column, value, uuid);
      if (items.length < column.min || items.length > column.max)
        throw new BadValueError(`${column.name} takes ${count(column)} values, not ${items.length}`);
      return ["set", items];
    }
    case "map": {
      const pairs = encodeMap(column, value, uuid);
      if (pairs.length < column.min || pairs.length > column.max)
        throw new BadValueError(`${column.name} takes ${count(column)} pairs, not ${pairs.length}`);
      return ["map", pairs];
    }
  }
}

/** The elements of a set, or the keys of a map, in wire form and without repetition. */
export function encodeSet(column: ColumnSchema, value: unknown, uuid: WriteUuid = plainUuid): Json[] {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value))
    throw new BadValueError(`${column.name} takes a set or another iterable, not ${show(value)}`);
  return [...new Set(value as Iterable<unknown>)].map((item) => encodeAtom(column, column.key, item, uuid));
}

/** The pairs of a map in wire form. */
export function encodeMap(column: ColumnSchema, value: unknown, uuid: WriteUuid = plainUuid): [Json, Json][] {
  return [...pairsOf(column, value)].map(([key, member]) => [
    encodeAtom(column, column.key, key, uuid),
    encodeAtom(column, column.value ?? column.key, member, uuid),
  ]);
}

/** The pairs that a caller means by a Map, by pairs or by a plain object. */
export function pairsOf(column: ColumnSchema, value: unknown): Map<unknown, unknown> {
  if (value instanceof Map) return value;
  if (typeof value === "object" && value !== null)
    return new Map(Symbol.iterator in value ? (value as Iterable<[unknown, unknown]>) : Object.entries(value));
  throw new BadValueError(`${column.name} takes a map, not ${show(value)}`);
}

/** @throws BadValueError unless `value` is an atom that `base` allows (RFC 7047 section 3.2) */
export function encodeAtom(column: ColumnSchema, base: BaseType, value: unknown, uuid: WriteUuid = plainUuid): Json {
  const refuse = (why: string): never => {
    throw new BadValueError(`${column.name} takes ${why}, not ${show(value)}`);
  };
  switch (base.type) {
    case "integer": {
      if (typeof value === "bigint") {
        if (BigInt.asIntN(64, value) !== value) return refuse("integers of 64 bits");
      } else if (typeof value !== "number" || !Number.isSafeInteger(value)) {
        return refuse("an integer (a bigint beyond 2^53-1)");
      }
      if (base.minInteger !== undefined && value < base.minInteger) return refuse(`integers from ${base.minInteger}`);
      if (base.maxInteger !== undefined && value > base.maxInteger) return refuse(`integers up to ${base.maxInteger}`);
      break;
    }
    case "real":
      if (typeof value !== "number" || !Number.isFinite(value)) return refuse("a finite number");
      if (base.minReal !== undefined && value < base.minReal) return refuse(`numbers from ${base.minReal}`);
      if (base.maxReal !== undefined && value > base.maxReal) return refuse(`numbers up to ${base.maxReal}`);
      break;
    case "boolean":
      if (typeof value !== "boolean") return refuse("a boolean");
      break;
    case "string": {
      if (typeof value !== "string") return refuse("a string");
      // The server keeps C strings in UTF-8: neither a NUL nor half a surrogate pair can be stored.
      if (value.includes("\0") || /\p{Surrogate}/u.test(value)) return refuse("well-formed text without NUL");
      if (base.minLength !== undefined || base.maxLength !== undefined) {
        const length = [...value].length;
        if (length < (base.minLength ?? 0)) return refuse(`strings of ${base.minLength} characters or more`);
        if (length > (base.maxLength ?? length)) return refuse(`strings of up to ${base.maxLength} characters`);
      }
      break;
    }
    case "uuid":
      if (typeof value !== "string" || !isUuid(value)) return refuse("a UUID");
      return uuid(value, base);
  }
  if (base.enum !== undefined && !base.enum.includes(value)) return refuse(`one of ${base.enum.map(show).join(", ")}`);
  return Object.is(value, -0) ? 0 : value;
}

function decodeAtom(column: ColumnSchema, base: BaseType, json: Json): Atom {
  switch (base.type) {
    case "string":
      if (typeof json === "string") return json;
      break;
    case "uuid":
      if (isArray(json) && json[0] === "uuid" && typeof json[1] === "string") return json[1];
      break;
    case "integer":
      if (typeof json === "number" || typeof json === "bigint") return json;
      break;
    case "real":
      if (typeof json === "number") return json;
      if (typeof json === "bigint") return Number(json);
      break;
    case "boolean":
      if (typeof json === "boolean") return json;
      break;
  }
  return wrong(column, json);
}

/** The elements of `["set", […]]`; `undefined` for the bare form of a set of one. */
function setItems(json: Json): readonly Json[] | undefined {
  return isArray(json) && json[0] === "set" && isArray(json[1]) ? json[1] : undefined;
}

function mapPairs(column: ColumnSchema, json: Json): readonly Json[] {
  return isArray(json) && json[0] === "map" && isArray(json[1]) ? json[1] : wrong(column, json);
}

function decodeKey(column: ColumnSchema, pair: Json): Atom {
  const key = isArray(pair) ? pair[0] : undefined;
  return key === undefined ? wrong(column, pair) : decodeAtom(column, column.key, key);
}

function decodeMember(column: ColumnSchema, pair: Json): Atom {
  const value = isArray(pair) ? pair[1] : undefined;
  return value === undefined ? wrong(column, pair) : decodeAtom(column, column.value ?? column.key, value);
}

function wrong(column: ColumnSchema, json: Json): never {
  throw new BadValueError(`the server sent ${show(json)} for the ${column.key.type} column ${column.name}`);
}

function count(column: ColumnSchema): string {
  return column.max === Number.POSITIVE_INFINITY ? `${column.min} or more` : `${column.min} to ${column.max}`;
}

function show(value: unknown): string {
  if (typeof value === "bigint") return `${value}`;
  const text = JSON.stringify(value, (_, member) => (typeof member === "bigint" ? `${member}` : member)) ?? "undefined";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
