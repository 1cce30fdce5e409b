import { describe, expect, test } from "bun:test";
import { changesBetween, type Declaration } from "./changes.ts";

const nodes = (rows: Readonly<Record<string, readonly object[]>>): Declaration =>
  new Map(Object.entries(rows).map(([name, own]) => [`node ${name}`, { what: { what: "node", name }, rows: own }]));

describe("what an operation changed", () => {
  const row = { name: "a", nics: new Set(["x"]), status: new Map([["state", "running"]]) };

  test("is nothing where the rows are the same, or say the same", () => {
    const none = { added: [], changed: [], removed: [] };
    expect(changesBetween(nodes({ a: [row] }), nodes({ a: [row] }))).toEqual(none);
    expect(changesBetween(nodes({ a: [row] }), nodes({ a: [{ ...row, nics: new Set(["x"]) }] }))).toEqual(none);
  });

  test("leaves out what the agent tells", () =>
    expect(
      changesBetween(nodes({ a: [row] }), nodes({ a: [{ ...row, status: new Map([["state", "exited"]]) }] })).changed,
    ).toEqual([]));

  test("names what is new, gone, or otherwise", () =>
    expect(
      changesBetween(nodes({ a: [row], b: [row] }), nodes({ a: [{ ...row, nics: new Set(["y"]) }], c: [row] })),
    ).toEqual({
      added: [{ what: "node", name: "c" }],
      changed: [{ what: "node", name: "a" }],
      removed: [{ what: "node", name: "b" }],
    }));

  test("counts a nic as its node's", () =>
    expect(changesBetween(nodes({ a: [row] }), nodes({ a: [row, { name: "eth0" }] })).changed).toEqual([
      { what: "node", name: "a" },
    ]));
});
