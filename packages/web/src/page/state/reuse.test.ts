import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { reuse } from "./reuse.ts";

describe("what is told anew", () => {
  test("says the same afterwards as before", () => {
    fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (old, fresh) => expect(reuse(old, fresh)).toEqual(fresh)));
  });

  test("is the old thing itself where it says the same", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const copy: unknown = structuredClone(value);
        expect(reuse(value, copy)).toBe(value);
      }),
    );
  });

  test("keeps the parts that have not changed, matched by their names", () => {
    const old = {
      nodes: [
        { name: "a", nics: [1] },
        { name: "b", nics: [2] },
      ],
    };
    const told = reuse(old, {
      nodes: [
        { name: "b", nics: [2] },
        { name: "a", nics: [1, 3] },
      ],
    });
    expect(told.nodes[0]).toBe(old.nodes[1]);
    expect(told.nodes[1]).not.toBe(old.nodes[0]);
  });
});
