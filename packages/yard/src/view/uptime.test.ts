import { expect, test } from "bun:test";
import { processBegan } from "./uptime.ts";

test("a process began when it did", () => {
  const began = processBegan(process.pid);
  expect(Math.abs((began ?? 0) - (Date.now() - process.uptime() * 1_000))).toBeLessThan(3_000);
});

test("a process that is gone has no beginning", () => expect(processBegan(2 ** 22 + 1)).toBeUndefined());
