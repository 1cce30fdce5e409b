/** A row's identity (RFC 7047 section 3.1, `<uuid>`), in lower case. */
export type Uuid = string & { readonly __uuid: unique symbol };

/** A 64-bit integer: a `number`, or a `bigint` only where it lies beyond ±(2^53-1). */
export type Integer = number | bigint;

/** RFC 7047 section 5.1, `<atom>`. */
export type Atom = boolean | number | bigint | string;

/** A column's value. Sets and maps are frozen: their mutators throw. */
export type Value = Atom | undefined | ReadonlySet<Atom> | ReadonlyMap<Atom, Atom>;

/** A row whose table is not known at compile time; frozen. */
export interface Row {
  readonly [column: string]: Value;
}

/** Whether `text` has the form of a UUID (RFC 4122), in either case. */
export function isUuid(text: string): text is Uuid {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);
}

/** What a column takes: any iterable for a set, and a plain object too for a map of strings. */
export type Input<V> =
  V extends ReadonlyMap<infer K, infer W>
    ? V | Iterable<readonly [K, W]> | (K extends string ? Readonly<Record<string, W>> : never)
    : V extends ReadonlySet<infer E>
      ? Iterable<E>
      : V;

/** The columns of a new or changed row. An optional column is emptied by `undefined`. */
export type RowInput<R> = {
  readonly [Column in keyof R as Column extends "_uuid" ? never : Column]?: Input<R[Column]>;
};

const readOnly = (): never => {
  throw new TypeError("this value belongs to a frozen row; change it by a transaction");
};

/** A Set that its reader cannot change: rows are shared by all readers, without copies. */
export class FrozenSet<T> extends Set<T> {
  override add(): never {
    return readOnly();
  }
  override delete(): never {
    return readOnly();
  }
  override clear(): never {
    return readOnly();
  }
}

/** A Map that its reader cannot change. */
export class FrozenMap<K, V> extends Map<K, V> {
  override set(): never {
    return readOnly();
  }
  override delete(): never {
    return readOnly();
  }
  override clear(): never {
    return readOnly();
  }
}

const addTo = Set.prototype.add;
const setIn = Map.prototype.set;

export const emptySet: ReadonlySet<Atom> = new FrozenSet<Atom>();
export const emptyMap: ReadonlyMap<Atom, Atom> = new FrozenMap<Atom, Atom>();

export function frozenSet(items: Iterable<Atom>): ReadonlySet<Atom> {
  const set = new FrozenSet<Atom>();
  for (const item of items) addTo.call(set, item);
  return set.size === 0 ? emptySet : set;
}

export function frozenMap(pairs: Iterable<readonly [Atom, Atom]>): ReadonlyMap<Atom, Atom> {
  const map = new FrozenMap<Atom, Atom>();
  for (const [key, value] of pairs) setIn.call(map, key, value);
  return map.size === 0 ? emptyMap : map;
}

/** Whether two values of one column are the same; order is none of theirs. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false;
    for (const [key, value] of a) if (b.get(key) !== value || (value === undefined && !b.has(key))) return false;
    return true;
  }
  if (a instanceof Set) {
    if (!(b instanceof Set) || a.size !== b.size) return false;
    for (const item of a) if (!b.has(item)) return false;
    return true;
  }
  return false;
}
