import { expect, test } from "bun:test";
import { hexLines } from "./hex.ts";

test("bytes stand sixteen a line, with their characters, and a field in brackets", () => {
  const bytes = new TextEncoder().encode("0123456789abcdefXY\n");
  expect(hexLines(bytes, { offset: 1, length: 2 })).toEqual([
    "0000  30[31 32]33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
    "0010  58 59 0a                                         XY.",
  ]);
  expect(hexLines(bytes, { offset: 15, length: 2 })).toEqual([
    "0000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65[66] 0123456789abcdef",
    "0010 [58]59 0a                                         XY.",
  ]);
});
