import { describe, expect, test } from "bun:test";
import { Lists } from "./lists.ts";

const never = new AbortController().signal;
const item = (text: string) => Buffer.from(text);
const text = (found: Buffer | undefined) => found?.toString();

describe("lists", () => {
  test("give their first or last item, or their last again and again", () => {
    using lists = new Lists();
    for (const one of ["a", "b", "c"]) lists.push("x", item(one));
    expect(text(lists.take("x", "rotate"))).toBe("c");
    expect(text(lists.take("x", "first"))).toBe("c");
    expect(text(lists.take("x", "last"))).toBe("b");
    expect(text(lists.take("x", "rotate"))).toBe("a");
    expect(text(lists.take("x", "first"))).toBe("a");
    expect(lists.take("x", "first")).toBeUndefined();
    expect(lists.has("x")).toBe(false);
    expect(lists.bytes).toBe(0);
  });

  test("serve who waits the longest first, and leave an item to all who only look", async () => {
    using lists = new Lists();
    const looks = [1, 2].map(() => lists.wait(["x"], "rotate", 5_000, never));
    const takes = lists.wait(["other", "x"], "first", 5_000, never);
    const looksLate = lists.wait(["x"], "rotate", 20, never);
    lists.push("x", item("a"));
    expect((await Promise.all(looks)).map((found) => text(found?.item))).toEqual(["a", "a"]);
    expect(await takes).toEqual({ key: "x", item: item("a") });
    expect(await looksLate).toBeUndefined();
  });

  test("let go of who has waited long enough, or does not want any more", async () => {
    using lists = new Lists();
    const stop = new AbortController();
    const waiting = lists.wait(["x"], "first", 5_000, stop.signal);
    stop.abort();
    expect(await waiting).toBeUndefined();
    expect(await lists.wait(["x"], "first", 5, never)).toBeUndefined();
    lists.push("x", item("a"));
    expect(lists.items("x")).toHaveLength(1);
  });

  test("keep the last items, and go when their time is over", async () => {
    using lists = new Lists();
    for (let n = 0; n < 5; n++) lists.push("x", item(String(n)), { most: 3, life: 30 });
    expect(lists.items("x").map(text)).toEqual(["2", "3", "4"]);
    expect(lists.left("x")).toBeGreaterThan(0);
    lists.push("flag", item("f"));
    expect(lists.left("flag")).toBe("for ever");
    expect(lists.left("nothing")).toBeUndefined();
    expect(await lists.wait(["y"], "first", 60, never)).toBeUndefined();
    expect(lists.has("x")).toBe(false);
    expect(lists.has("flag")).toBe(true);
  });
});
