import { expect, test } from "bun:test";
import { UNIMPAIRED } from "../model/impair.ts";
import { netemWords } from "./netem.ts";

test("an impairment is told to netem in full, also what it shall have no longer", () => {
  expect(netemWords(UNIMPAIRED, 1500).join(" ")).toBe(
    "limit 1000 delay 0us 0us 0% loss random 0% duplicate 0% reorder 0% corrupt 0% rate 0bit",
  );
  const all = { delay: 10_000, jitter: 2_000, correlation: 25, loss: 1, duplicate: 2, reorder: 3, corrupt: 0.1 };
  expect(netemWords({ ...all, rate: 10_000_000, queue: { unit: "frames", amount: 50 } }, 1500).join(" ")).toBe(
    "limit 50 delay 10000us 2000us 25% loss random 1% duplicate 2% reorder 3% corrupt 0.1% rate 10000000bit",
  );
});

test("netem keeps the order of frames under jitter, which it does only with a rate", () => {
  const words = netemWords({ ...UNIMPAIRED, delay: 10_000, jitter: 2_000 }, 1500);
  expect(words.slice(-2)).toEqual(["rate", "100000000000bit"]);
});

test("a queue in bytes has room for as many of the largest frames, but for one at least", () => {
  const limit = (amount: number) => netemWords({ ...UNIMPAIRED, queue: { unit: "bytes", amount } }, 1500)[1];
  expect(limit(64_000)).toBe("42");
  expect(limit(1_514)).toBe("1");
  expect(limit(1_000)).toBe("1");
});
