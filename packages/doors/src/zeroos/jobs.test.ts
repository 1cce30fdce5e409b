import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { type Handler, LEVEL } from "./job.ts";
import { Jobs } from "./jobs.ts";
import { Lists } from "./lists.ts";

const never = new AbortController().signal;

describe("jobs", () => {
  let lists: Lists;
  let jobs: Jobs;
  const handlers = new Map<string, Handler>();
  const place = { container: 7, handler: (name: string) => handlers.get(name) };
  beforeEach(() => {
    lists = new Lists();
    jobs = new Jobs(lists, createLogger("test", "silent"));
    handlers.clear();
  });
  afterEach(async () => {
    await jobs[Symbol.asyncDispose]();
    lists[Symbol.dispose]();
  });
  const submit = (id: string, command: string, more: object = {}) =>
    jobs.submit(JSON.stringify({ id, command, arguments: {}, ...more }), place);
  const result = async (id: string) => {
    const found = await lists.wait([`result:${id}`], "rotate", 5_000, never);
    return JSON.parse(found?.item.toString() ?? "null");
  };

  test("tell what they came to, as often as one asks, and that they are remembered", async () => {
    handlers.set("a", async () => ({ data: { x: 1 } }));
    submit("1", "a", { tags: ["t"] });
    expect(lists.left("result:1:flag")).toBe("for ever");
    const told = { id: "1", command: "a", state: "SUCCESS", code: 200, level: 20, data: '{"x":1}', container: 7 };
    expect(await result("1")).toMatchObject({ ...told, tags: ["t"], critical: "", streams: ["", ""] });
    expect(await result("1")).toMatchObject(told);
    expect(lists.left("result:1:flag")).toBeLessThanOrEqual(300_000);
    expect(lists.left("result:1")).toBeLessThanOrEqual(300_000);
  });

  test("tell why they failed, with the code of HTTP for it", async () => {
    const fails = (code: string): Handler => {
      return async () => {
        throw new YardError(code, "it is so", { hint: "do this" });
      };
    };
    for (const [name, code, http] of [
      ["a", "zeroos.no-container", 404],
      ["b", "zeroos.bad-argument", 400],
      ["c", "zeroos.no-ovs", 412],
      ["d", "network.name-taken", 409],
      ["e", "command.failed", 500],
      ["ovs.x", "switch.no-bridge", 1_001],
    ] as const) {
      handlers.set(name, fails(code));
      submit(name, name);
      expect(await result(name)).toMatchObject({ state: "ERROR", code: http, level: 20 });
      expect(JSON.parse((await result(name)).data)).toBe(`it is so [${code}]: do this`);
    }
    submit("f", "nonsense");
    expect(await result("f")).toMatchObject({ state: "UNKNOWN_CMD", code: 404 });
  });

  test("of programs tell their output and exit code, and stream both", async () => {
    handlers.set("p", async ({ line }) => {
      line(LEVEL.stdout, "out");
      line(LEVEL.stderr, "err");
      return { exitCode: 3 };
    });
    submit("1", "p", { stream: true });
    expect(await result("1")).toMatchObject({ state: "ERROR", code: 1_003, level: 0, streams: ["out\n", "err\n"] });
    const messages = lists.items("stream:1").map((item) => JSON.parse(item.toString()).message);
    expect(messages.map(({ message, meta }) => [message, meta >> 16, meta & 0xff])).toEqual([
      ["out", 1, 0],
      ["err", 2, 0],
      ["", 0, 4],
    ]);
  });

  test("end at their limit, and when they are killed, whether or not the command listens", async () => {
    handlers.set(
      "slow",
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("late")))),
    );
    submit("1", "slow", { max_time: 0.02 });
    expect(await result("1")).toMatchObject({ state: "TIMEOUT" });
    submit("2", "slow");
    jobs.get("2")?.kill();
    expect(await result("2")).toMatchObject({ state: "KILLED" });
    expect(lists.items("result:2")).toHaveLength(1);
  });

  test("of one queue run one after the other, those of Open vSwitch always", async () => {
    const order: string[] = [];
    const slow: Handler = async ({ id }) => {
      order.push(`${id} begins`);
      await Bun.sleep(5);
      order.push(`${id} ends`);
      return { data: null };
    };
    handlers.set("ovs.a", slow);
    handlers.set("b", slow);
    submit("1", "ovs.a", { queue: "x" });
    submit("2", "ovs.a");
    await result("2");
    expect(order).toEqual(["1 begins", "1 ends", "2 begins", "2 ends"]);
    order.length = 0;
    submit("3", "b");
    submit("4", "b");
    await Promise.all([result("3"), result("4")]);
    expect(order.slice(0, 2)).toEqual(["3 begins", "4 begins"]);
  });

  test("whose id is known are dropped, and those that are none refused", async () => {
    let runs = 0;
    handlers.set("a", async () => ({ data: ++runs }));
    submit("1", "a");
    submit("1", "a");
    expect((await result("1")).data).toBe("1");
    submit("1", "a");
    expect(runs).toBe(1);
    for (const text of ["{", "[]", '{"id":"x y","command":"a"}', '{"command":"a"}', '{"id":"2"}'])
      expect(() => jobs.submit(text, place)).toThrow(YardError);
  });
});
