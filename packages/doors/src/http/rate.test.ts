import { expect, test } from "bun:test";
import fc from "fast-check";
import { RateLimit } from "./rate.ts";

test("a client may make a burst, and then as many requests as time brings", () => {
  const limit = new RateLimit(2, 3);
  expect([0, 0, 0, 0].map(() => limit.take("a", 0))).toEqual([0, 0, 0, 1]);
  expect(limit.take("b", 0)).toBe(0);
  expect([500, 500].map((now) => limit.take("a", now))).toEqual([0, 1]);
  expect([60_000, 60_000, 60_000, 60_000].map((now) => limit.take("a", now))).toEqual([0, 0, 0, 1]);
  expect(new RateLimit(1 / 6, 1).take("a", 0)).toBe(0);
});

test("nobody ever gets more than the burst and what time has brought", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 400 }), { maxLength: 200 }), (pauses) => {
      const limit = new RateLimit(5, 10);
      let now = 0;
      let taken = 0;
      for (const pause of pauses) {
        now += pause;
        if (limit.take("a", now) === 0) taken++;
        expect(taken).toBeLessThanOrEqual(10 + (now / 1_000) * 5 + 1e-6);
      }
    }),
  );
});

test("without a limit there is none", () => {
  const limit = new RateLimit(0, 0);
  expect(Array.from({ length: 1_000 }, () => limit.take("a", 0)).every((seconds) => seconds === 0)).toBe(true);
});
