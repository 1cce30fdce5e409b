import { expect, test } from "bun:test";
import { type Figure, describe as line, median, passes } from "./figure.ts";

const figure: Figure = {
  case: "x",
  name: "up",
  unit: "s",
  value: 3,
  runs: [3],
  baseline: { name: "floor", value: 2, runs: [2] },
};

test("the median of an even number of runs lies between the two in the middle", () => {
  expect(median([9, 1, 2, 3])).toBe(2.5);
  expect(median([5, 1, 9])).toBe(5);
});

test("a target is met at its limit and missed beyond it", () => {
  expect(passes({ ...figure, target: { of: "value/baseline", at: "most", limit: 1.5 } })).toBe(true);
  expect(passes({ ...figure, target: { of: "value/baseline", at: "most", limit: 1.4 } })).toBe(false);
  expect(passes({ ...figure, target: { of: "baseline/value", at: "least", limit: 0.7 } })).toBe(false);
  expect(passes({ ...figure, target: { of: "value", at: "most", limit: 3 } })).toBe(true);
  expect(passes(figure)).toBeUndefined();
});

test("a line tells value, baseline, ratio and whether that is enough", () => {
  expect(line({ ...figure, target: { of: "value/baseline", at: "most", limit: 1.5 } })).toBe(
    "up: 3.00 s; floor: 2.00 s; 1.50×, target at most 1.5×: pass",
  );
});
