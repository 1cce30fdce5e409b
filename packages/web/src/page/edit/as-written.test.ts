import { describe, expect, test } from "bun:test";
import { asWritten } from "./as-written.ts";

describe("a changed text", () => {
  test("is as it was written where nothing has changed", () => {
    expect(asWritten("a: [1]\nb: [2]\n", "a: [ 1 ]\nb: [ 2 ]\n", "a: [ 1 ]\nb: [ 3 ]\nc: 4\n")).toBe(
      "a: [1]\nb: [ 3 ]\nc: 4\n",
    );
  });

  test("keeps lines that are broken otherwise than the printer would", () => {
    const [written, before] = ["a: # why\n  b: 1\nc: 2\n", "a:\n  # why\n  b: 1\nc: 2\n"];
    expect(asWritten(written, before, `${before}d: 3\n`)).toBe(`${written}d: 3\n`);
    expect(asWritten(written, before, "a:\n  # other\n  b: 1\nc: 2\n")).toBe("a:\n  # other\n  b: 1\nc: 2\n");
  });

  test("is what it was when nothing has changed at all", () => {
    expect(asWritten("x:   [1,2]\n", "x: [ 1, 2 ]\n", "x: [ 1, 2 ]\n")).toBe("x:   [1,2]\n");
  });

  test("has none of what is gone", () => {
    expect(asWritten("a: 1 \nb: 2\n\nc: 3", "a: 1\nb: 2\n\nc: 3\n", "a: 1\nc: 3\n")).toBe("a: 1 \nc: 3");
  });
});
