import { expect, test } from "bun:test";
import { type Ending, EndingReader, endingLines } from "./ending.ts";

function reread(lines: readonly string[]): Ending | undefined {
  const reader = new EndingReader();
  for (const line of lines) {
    const ending = reader.read(line);
    if (ending !== undefined) return ending;
  }
  return undefined;
}

test.each<[string, Ending]>([
  ["well", { passed: 57, failed: 0, failures: [], unsteady: [] }],
  ["with failures", { passed: 55, failed: 2, failures: ["a.test.ts", "b.test.ts"], unsteady: ["c.test.ts"] }],
])("a run that ended %s tells so to whoever reads its lines", (_how, ending) => {
  expect(reread(["ok   c.test.ts  4 passed  1.0 s", "", ...endingLines(ending)])).toEqual(ending);
});

test("a run that ended amid its tests tells no ending", () => {
  expect(reread(["FAIL a.test.ts  4 passed, 1 failed  1.0 s", "failed: a.test.ts"])).toBeUndefined();
});
