import { afterEach, expect, setSystemTime, test } from "bun:test";
import { YardError } from "@switchyard/base";
import { LeaseDeadlines } from "./lease-deadlines.ts";

afterEach(() => {
  setSystemTime();
});

const awaited = (limit: number) => ({
  id: "dhcp-1",
  node: "late",
  limit,
  failure: () => ({ subject: { kind: "yard" } as const, error: new YardError("nic.no-lease", "no answer") }),
});

test.each([
  ["back", -3_600_000],
  ["on", 3_600_000],
])("a nic has as long to get its address as it shall have, though the clock is put %s by an hour", async (_, jump) => {
  const due = Promise.withResolvers<void>();
  using deadlines = new LeaseDeadlines(due.resolve);
  expect(deadlines.look([awaited(60)])).toEqual({ waiting: new Set(["late"]), failures: [] });
  setSystemTime(Date.now() + jump);
  expect(deadlines.look([awaited(60)]).failures).toEqual([]);
  await due.promise;
  // A timer may be a little early.
  await Bun.sleep(5);
  expect(deadlines.look([awaited(60)]).failures).toHaveLength(1);
});
