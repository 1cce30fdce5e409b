import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { applyDiff, decodeValue, defaultValue, encodeValue } from "./codec.ts";
import { BadSchemaError, BadValueError } from "./errors.ts";
import type { Json } from "./json.ts";
import { type ColumnSchema, parseSchema } from "./schema.ts";
import { type Atom, frozenMap, frozenSet, sameValue, type Value } from "./value.ts";

function column(type: unknown): ColumnSchema {
  const found = parseSchema({ name: "D", tables: { T: { columns: { c: { type } } } } })
    .tables.get("T")
    ?.columns.get("c");
  assert.ok(found);
  return found;
}

const atoms: { readonly [type: string]: fc.Arbitrary<Atom> } = {
  integer: fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value)),
  real: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
  boolean: fc.boolean(),
  string: fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")),
  uuid: fc.uuid(),
};
const types = Object.keys(atoms);
const atom = (type: string) => atoms[type] ?? fc.constant(0);

/** A column of any type with two values of it. */
const columnAndValues = fc.constantFrom("scalar", "optional", "set", "map", "map1").chain((shape) =>
  fc
    .tuple(fc.constantFrom(...types), fc.constantFrom(...types))
    .chain(([key, value]): fc.Arbitrary<[ColumnSchema, Value, Value]> => {
      const both = (values: fc.Arbitrary<Value>, type: unknown): fc.Arbitrary<[ColumnSchema, Value, Value]> =>
        fc.tuple(fc.constant(column(type)), values, values);
      const pairs = (maxLength: number) => fc.array(fc.tuple(atom(key), atom(value)), { maxLength }).map(frozenMap);
      switch (shape) {
        case "scalar":
          return both(atom(key), key);
        case "optional":
          return both(fc.option(atom(key), { nil: undefined }), { key, min: 0, max: 1 });
        case "set":
          return both(fc.array(atom(key)).map(frozenSet), { key, min: 0, max: "unlimited" });
        case "map":
          return both(pairs(10), { key, value, min: 0, max: "unlimited" });
        default:
          return both(pairs(1), { key, value, min: 0, max: 1 });
      }
    }),
);

/** What ovsdb/monitor.c makes of a change. */
function differenceOf(definition: ColumnSchema, old: Value, now: Value): Json {
  if (definition.shape === "set" && old instanceof Set && now instanceof Set)
    return encodeValue(definition, [...[...old].filter((x) => !now.has(x)), ...[...now].filter((x) => !old.has(x))]);
  if (definition.shape === "map" && definition.max > 1 && old instanceof Map && now instanceof Map) {
    const gone = [...old].filter(([key]) => !now.has(key));
    const changed = [...now].filter(([key, value]) => old.get(key) !== value);
    return encodeValue(definition, new Map([...gone, ...changed]));
  }
  return encodeValue(definition, now);
}

describe("a column's values", () => {
  test("are the same after writing and reading", () => {
    fc.assert(
      fc.property(columnAndValues, ([definition, value]) => {
        assert.ok(sameValue(decodeValue(definition, encodeValue(definition, value)), value));
      }),
    );
  });

  test("become the new ones by the difference to the old", () => {
    fc.assert(
      fc.property(columnAndValues, ([definition, old, now]) => {
        const difference = differenceOf(definition, old, now);
        assert.ok(sameValue(applyDiff(definition, old, difference), now));
      }),
    );
  });

  test("are read in the short forms that servers write", () => {
    const tags = column({ key: "string", min: 0, max: "unlimited" });
    assert.deepEqual([...(decodeValue(tags, "a") as ReadonlySet<string>)], ["a"]);
    assert.equal(decodeValue(tags, ["set", []]), defaultValue(tags));
    const tag = column({ key: "integer", min: 0, max: 1 });
    assert.equal(decodeValue(tag, 5), 5);
    assert.equal(decodeValue(tag, ["set", []]), undefined);
    assert.equal(decodeValue(tag, ["set", [5]]), 5);
    assert.equal(applyDiff(tag, 5, ["set", []]), undefined);
  });

  test("of the wrong type are refused, on their way out and in", () => {
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.anything(), (type, value) => {
        try {
          encodeValue(column(type), value);
        } catch (error) {
          assert.ok(error instanceof BadValueError);
        }
      }),
    );
    for (const [type, json] of [
      ["integer", "1"],
      ["string", 1],
      ["uuid", "x"],
      ["boolean", 0],
      [{ key: "string", value: "string", min: 0, max: 2 }, ["set", []]],
      [{ key: "string", min: 0, max: 1 }, ["set", ["a", "b"]]],
    ] as const)
      assert.throws(() => decodeValue(column(type), json), BadValueError);
    const narrow = column({ key: { type: "integer", minInteger: 1, maxInteger: 5 }, min: 0, max: 2 });
    for (const value of [[0], [6], [1, 2, 3], [1.5], 1, "x", [2n ** 64n], undefined])
      assert.throws(() => encodeValue(narrow, value), BadValueError);
    assert.throws(() => encodeValue(column({ key: { type: "string", maxLength: 2 } }), "abc"), BadValueError);
    assert.throws(() => encodeValue(column("string"), "\ud800"), BadValueError);
    assert.throws(() => encodeValue(column("real"), Number.NaN), BadValueError);
  });
});

describe("a schema", () => {
  test("that is none is refused, naming the place", () => {
    for (const document of [
      null,
      [],
      {},
      { name: "D" },
      { name: "1", tables: {} },
      { name: "D", tables: { T: {} } },
      { name: "D", tables: { T: { columns: { c: {} } } } },
      { name: "D", tables: { T: { columns: { c: { type: "float" } } } } },
      { name: "D", tables: { T: { columns: { c: { type: { key: "string", max: 0 } } } } } },
      { name: "D", tables: { T: { columns: { c: { type: "string" } }, indexes: [["d"]] } } },
    ])
      assert.throws(() => parseSchema(document), BadSchemaError);
  });

  test("without any root table has roots only", () => {
    assert.equal(parseSchema({ name: "D", tables: { T: { columns: {} } } }).tables.get("T")?.isRoot, true);
  });
});
