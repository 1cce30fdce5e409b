import { describe, expect, test } from "bun:test";
import { network, nic, node } from "../topology/view.fixture.ts";
import { told } from "./events.ts";

const yard = {
  yard: "main",
  agent: 1,
  datapath: "netdev",
  error: null,
  labs: [],
  networks: [network("lan")],
  nodes: [node("a", [nic("eth0")]), node("b", [])],
  links: [],
  bridges: [],
};

describe("what is told of the yard", () => {
  test("takes the place of what was known, and leaves the rest as it is", () => {
    const changed = node("b", [], { state: "failed" });
    const after = told(yard, [{ event: "node", data: { name: "b", value: changed } }]);
    expect(after.nodes.map(({ name, state }) => [name, state])).toEqual([
      ["a", "running"],
      ["b", "failed"],
    ]);
    expect(after.nodes[0]).toBe(yard.nodes[0]);
    expect(after.networks).toBe(yard.networks);
  });

  test("adds what is new, and takes away what is gone", () => {
    const after = told(yard, [
      { event: "node", data: { name: "c", value: node("c", []) } },
      { event: "node", data: { name: "a", value: null } },
      { event: "network", data: { name: "lan", value: null } },
      { event: "yard", data: { agent: null, datapath: "netdev", error: null } },
    ]);
    expect(after.nodes.map(({ name }) => name)).toEqual(["b", "c"]);
    expect([after.networks.length, after.agent]).toEqual([0, null]);
  });

  test("that says nothing new changes nothing", () => {
    const same = structuredClone(yard.nodes[0] ?? null);
    expect(told(yard, [{ event: "node", data: { name: "a", value: same } }])).toBe(yard);
  });
});
