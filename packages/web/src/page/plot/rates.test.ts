import { expect, test } from "bun:test";
import { bitsText, type Rates, rateText, sampled } from "./rates.ts";

const rate = { outBits: 800, inBits: 0, outFrames: 1, inFrames: 0, dropped: 2 };

test("each nic keeps what has passed it for some minutes", () => {
  let rates: Rates = new Map();
  for (let at = 0; at < 400; at++) rates = sampled(rates, { at, nics: { "web:eth0": rate } });
  rates = sampled(rates, { at: 400, nics: { "pc:eth0": rate } });
  expect(rates.get("web:eth0")?.length).toBe(300);
  expect(rates.get("web:eth0")?.at(-1)).toEqual({ at: 399, ...rate });
  expect(rates.get("pc:eth0")?.length).toBe(1);
});

test("rates are told in people's units", () => {
  expect([0, 999, 1_200, 3_400_000, 5e12].map(bitsText)).toEqual([
    "0 bit/s",
    "999 bit/s",
    "1.2 kbit/s",
    "3.4 Mbit/s",
    "5000.0 Gbit/s",
  ]);
  expect(rateText(rate)).toBe("out 800 bit/s, in 0 bit/s, 2 dropped/s");
});
