import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { merged } from "./same-lines.ts";

const base = "a\nb\nc\nd\ne";

describe("changes that two people made", () => {
  test("are both there when they are apart", () => {
    expect(merged(base, "A\na\nb\nc\nd\ne", "a\nb\nc\nd")).toBe("A\na\nb\nc\nd");
    expect(merged(base, "a\nc\nd\ne", "a\nb\nc\nD\ne")).toBe("a\nc\nD\ne");
  });

  test("to the same lines are no one text, unless they say the same", () => {
    expect(merged(base, "a\nB\nc\nd\ne", "a\nbb\nc\nd\ne")).toBeUndefined();
    expect(merged(base, "a\nB\nc\nd\ne", "a\nB\nc\nd\ne")).toBe("a\nB\nc\nd\ne");
  });

  test("of one alone are that one's text", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 12 }).map((lines) => lines.join("\n"));
    fc.assert(
      fc.property(text, text, (before, after) => {
        expect(merged(before, after, before)).toBe(after);
        expect(merged(before, before, after)).toBe(after);
        expect(merged(before, after, after)).toBe(after);
      }),
    );
  });
});
