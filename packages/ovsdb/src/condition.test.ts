import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AnyCondition, meets } from "./condition.ts";
import { parseSchema } from "./schema.ts";
import { frozenMap, frozenSet, type Row } from "./value.ts";

describe("a condition", () => {
  const several = { key: "string", min: 0, max: "unlimited" };
  const columns = {
    name: { type: "string" },
    tag: { type: { key: "integer", min: 0, max: 1 } },
    tags: { type: several },
    options: { type: { ...several, value: "string" } },
  };
  const table = parseSchema({ name: "D", tables: { T: { columns } } }).tables.get("T");
  const row: Row = { _uuid: "u", name: "ab", tag: 5, tags: frozenSet(["a", "b"]), options: frozenMap([["k", "v"]]) };

  test("is met as the server would find it", () => {
    assert.ok(table);
    const cases: [AnyCondition, boolean][] = [
      [["name", "==", "ab"], true],
      [["name", "!=", "ab"], false],
      [["name", "includes", "ab"], true],
      [["_uuid", "==", "u"], true],
      [["tag", "<", 6], true],
      [["tag", "<", 5], false],
      [["tag", "<=", 5], true],
      [["tag", ">", 4], true],
      [["tag", ">=", 6], false],
      [["tag", "==", undefined], false],
      [["tag", "!=", undefined], true],
      [["tags", "==", ["b", "a"]], true],
      [["tags", "==", ["a"]], false],
      [["tags", "includes", ["a"]], true],
      [["tags", "includes", ["a", "c"]], false],
      [["tags", "excludes", ["c"]], true],
      [["options", "includes", new Map([["k", "v"]])], true],
      [["options", "includes", new Map([["k", "w"]])], false],
      [["options", "==", new Map()], false],
    ];
    for (const [condition, expected] of cases) assert.equal(meets(table, row, condition), expected, String(condition));
    assert.equal(meets(table, { ...row, tag: undefined }, ["tag", "<", 6]), false);
  });
});
