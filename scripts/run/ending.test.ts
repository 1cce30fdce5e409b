import { expect, test } from "bun:test";
import { endingLines, readCounts } from "./ending.ts";

const reread = (lines: readonly string[]) => lines.flatMap((line) => readCounts(line) ?? []);

test.each([
  ["well", { passed: 57, failed: 0, failures: [], unsteady: [] }],
  ["with failures", { passed: 55, failed: 2, failures: ["a.test.ts", "b.test.ts"], unsteady: ["c.test.ts"] }],
])("a run that ended %s tells so to whoever reads its lines", (_how, ending) => {
  const { passed, failed } = ending;
  expect(reread(["ok   c.test.ts  4 passed  1.0 s", "", ...endingLines(ending)])).toEqual([{ passed, failed }]);
});

test("a run that ended amid its tests tells no ending", () => {
  expect(reread(["FAIL a.test.ts  4 passed, 1 failed  1.0 s", "failed: a.test.ts"])).toEqual([]);
});
