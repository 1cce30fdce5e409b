import { expect, test } from "bun:test";
import type { Counters } from "@switchyard/vswitch";
import { ratesOf } from "./traffic.ts";

const none: Counters = {
  rxPackets: 0,
  rxBytes: 0,
  rxDropped: 0,
  rxErrors: 0,
  txPackets: 0,
  txBytes: 0,
  txDropped: 0,
  txErrors: 0,
};

test("what a port was sent is what its nic has sent", () => {
  const rates = ratesOf(none, { ...none, rxBytes: 1_000, rxPackets: 10, txBytes: 500, txPackets: 4, txDropped: 2 }, 2);
  expect(rates).toEqual({ outBits: 4_000, inBits: 2_000, outFrames: 5, inFrames: 2, dropped: 1 });
});

test("nothing is told of a port that nothing passes, or that was made anew or is gone", () => {
  expect(ratesOf(none, none, 1)).toBeUndefined();
  expect(ratesOf({ ...none, rxBytes: 9 }, none, 1)).toBeUndefined();
  expect(ratesOf(undefined, none, 1)).toBeUndefined();
  expect(ratesOf(none, undefined, 1)).toBeUndefined();
});
