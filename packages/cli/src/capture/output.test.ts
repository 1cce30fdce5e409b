import { expect, test } from "bun:test";
import { numbered } from "./output.ts";

test("the files of a ring are numbered before their ending", () => {
  expect(numbered("a/b.pcapng", 7)).toBe("a/b_00007.pcapng");
  expect(numbered("a.d/b", 12)).toBe("a.d/b_00012");
});
