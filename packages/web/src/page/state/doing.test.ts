import { expect, test } from "bun:test";
import { begun, doingText } from "./doing.ts";

const work = begun(4, [
  "+ node web: create namespace",
  "+ nic db:eth0: create veth",
  "~ nic db:eth0: up",
  "- network lan: bridge",
]);

test("what the agent is at is told in a line, and how long it took", () => {
  expect(doingText(work)).toBe("node web, nic db:eth0 …: 4 steps");
  expect(doingText(begun(1, ["~ yard: write hosts"]))).toBe("yard: 1 step");
  expect(doingText({ ...work, ended: { milliseconds: 44, failures: 1 } })).toBe(
    "node web, nic db:eth0 …: 4 steps in 44 ms, 1 failed",
  );
});

test("what it is about is known by its box", () => {
  expect([...work.about]).toEqual(["node web", "node db", "network lan"]);
});
