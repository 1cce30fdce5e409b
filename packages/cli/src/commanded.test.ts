import { describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import { nextNic } from "@switchyard/yard/store";
import { changesText } from "./changes.ts";
import { parseNicWord } from "./commanded.ts";

describe("a nic as one word", () => {
  test("has a network and fields, those given twice as lists", () => {
    expect(parseNicWord("lan01,ip=10.1.0.1/24,ip=fd01::1/64,vlan=5,trunks=7")).toEqual({
      network: "lan01",
      ip: ["10.1.0.1/24", "fd01::1/64"],
      vlan: 5,
      trunks: [7],
    });
  });
  test("is refused with a field that has no value", () => expect(() => parseNicWord("lan01,ip")).toThrow(YardError));
});

test("a new nic takes the lowest free name", () => {
  expect(nextNic(undefined)).toBe("eth0");
  expect(nextNic({ nics: [{ name: "eth0" }, { name: "eth2" }] as never })).toBe("eth1");
});

test("what an operation changed is told by kind, and nothing when nothing has", () => {
  const node = (name: string) => ({ what: "node" as const, name });
  const none = { added: [], changed: [], removed: [] };
  expect(changesText({ ...none, added: [node("a"), node("b")] })).toBe("2 nodes added");
  expect(changesText({ ...none, added: [{ what: "network", name: "x" }, node("a")], removed: [node("b")] })).toBe(
    "1 network, 1 node added, 1 node removed",
  );
  expect(changesText(none)).toBeUndefined();
});
