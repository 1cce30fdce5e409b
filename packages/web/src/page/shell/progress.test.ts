import { expect, test } from "bun:test";
import { nic, node } from "../topology/view.fixture.ts";
import { countNodes, progressText } from "./progress.ts";

test("the yard says how far it is, and what has failed", () => {
  const text = (...nodes: ReturnType<typeof node>[]) => progressText(nodes.length, countNodes(nodes));
  const [good, coming] = [node("a", [nic("eth0")]), node("b", [nic("eth0", { state: "pending" })])];
  const lost = node("c", [nic("eth0", { state: "pending" })], { state: "failed" });
  expect(text(good)).toBe("1 node, all as declared");
  expect(text(good, coming)).toBe("being made so: 1 of 2 nodes to go");
  expect(text(good, coming, lost)).toBe("being made so: 1 of 3 nodes to go, 1 failed");
  expect(text(good, lost)).toBe("1 of 2 nodes failed");
});
