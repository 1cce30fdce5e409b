import { encodeAtom, encodeMap, encodeSet, pairsOf, type WriteUuid } from "./codec.ts";
import { BadValueError } from "./errors.ts";
import type { Json } from "./json.ts";
import type { ColumnSchema } from "./schema.ts";
import { type Atom, frozenMap, frozenSet, type Value } from "./value.ts";

/** The changes of one column by `mutate`, untyped. */
export interface AnyMutation {
  readonly insert?: unknown;
  readonly set?: unknown;
  readonly delete?: Iterable<unknown>;
  readonly add?: number | bigint;
  readonly subtract?: number | bigint;
  readonly multiply?: number | bigint;
  readonly divide?: number | bigint;
  readonly modulo?: number | bigint;
}

const ARITHMETIC = { add: "+=", subtract: "-=", multiply: "*=", divide: "/=", modulo: "%=" } as const;

/**
 * A column's mutations in wire form.
 *
 * @throws BadValueError
 */
export function wireMutations(column: ColumnSchema, mutation: AnyMutation, write: WriteUuid): Json[] {
  const operations: Json[] = [];
  const { name, shape } = column;
  for (const [word, mutator] of Object.entries(ARITHMETIC)) {
    const operand = mutation[word as keyof typeof ARITHMETIC];
    if (operand === undefined) continue;
    if (shape === "map") throw new BadValueError(`${name} is a map: there is nothing to calculate with`);
    operations.push([name, mutator, encodeAtom(column, { type: column.key.type }, operand)]);
  }
  if (shape === "scalar" && (mutation.insert ?? mutation.delete ?? mutation.set) !== undefined)
    throw new BadValueError(`${name} holds one value: use update`);
  if (mutation.set !== undefined && shape !== "map")
    throw new BadValueError(`${name} is no map: \`set\` is for the pairs of one`);
  // Deleting comes first: a pair is replaced by deleting its key and inserting it anew (RFC 7047 section 5.1).
  const gone = [
    ...(mutation.delete ?? []),
    ...(mutation.set === undefined ? [] : pairsOf(column, mutation.set).keys()),
  ];
  // What is taken out of a column is no reference that would keep a row alive.
  const loose: ColumnSchema = { ...column, key: { ...column.key, refType: "weak" } };
  if (gone.length > 0) operations.push([name, "delete", ["set", encodeSet(loose, gone, write)]]);
  for (const added of [mutation.insert, mutation.set]) {
    if (added === undefined) continue;
    if (shape === "map") {
      const pairs = encodeMap(column, added, write);
      if (pairs.length > 0) operations.push([name, "insert", ["map", pairs]]);
    } else {
      const items = encodeSet(column, added, write);
      if (items.length > 0) operations.push([name, "insert", ["set", items]]);
    }
  }
  return operations;
}

/** What the server will make of `value` (RFC 7047 section 5.1, `<mutation>`), as far as a reader is shown it before. */
export function mutated(column: ColumnSchema, value: Value, mutation: AnyMutation): Value {
  switch (column.shape) {
    case "map": {
      const map = new Map(value instanceof Map ? (value as ReadonlyMap<Atom, Atom>) : []);
      for (const key of mutation.delete ?? []) map.delete(key as Atom);
      const pairs = (given: unknown) => pairsOf(column, given) as Map<Atom, Atom>;
      if (mutation.insert !== undefined)
        for (const [key, member] of pairs(mutation.insert)) if (!map.has(key)) map.set(key, member);
      if (mutation.set !== undefined) for (const [key, member] of pairs(mutation.set)) map.set(key, member);
      return frozenMap(map);
    }
    case "set":
    case "optional": {
      const old = value instanceof Set ? [...(value as ReadonlySet<Atom>)] : value === undefined ? [] : [value as Atom];
      const set = new Set(old.map((item) => calculated(item, mutation)));
      for (const item of mutation.delete ?? []) set.delete(item as Atom);
      if (mutation.insert !== undefined) for (const item of mutation.insert as Iterable<Atom>) set.add(item);
      return column.shape === "set" ? frozenSet(set) : [...set][0];
    }
    case "scalar":
      return calculated(value as Atom, mutation);
  }
}

function calculated(value: Atom, { add, subtract, multiply, divide, modulo }: AnyMutation): Atom {
  if (typeof value !== "number" && typeof value !== "bigint") return value;
  const integral = typeof value === "bigint" || Number.isInteger(value);
  if (!integral || [add, subtract, multiply, divide, modulo].some((x) => typeof x === "number" && !Number.isInteger(x)))
    return ((Number(value) + Number(add ?? 0) - Number(subtract ?? 0)) * Number(multiply ?? 1)) / Number(divide ?? 1);
  let exact = BigInt(value) + BigInt(add ?? 0) - BigInt(subtract ?? 0);
  exact *= BigInt(multiply ?? 1);
  // A division by zero is the server's to refuse.
  if (divide !== undefined && BigInt(divide) !== 0n) exact /= BigInt(divide);
  if (modulo !== undefined && BigInt(modulo) !== 0n) exact %= BigInt(modulo);
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : exact;
}
