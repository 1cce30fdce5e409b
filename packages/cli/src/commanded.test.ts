import { describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import type { Rows } from "@switchyard/yard/store";
import { changesText } from "./changes.ts";
import { networkSpec, nicSpec, nodeSpec, parseNicWord } from "./commanded.ts";
import { nextNic } from "./commands/attach.ts";
import { createSession } from "./session.ts";

const session = createSession(process, {}, "/", new AbortController().signal);
const empty: Rows = { yard: undefined, hosts: [], labs: [], networks: [], nodes: [], links: [] };

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

describe("a command's words", () => {
  test("become what a lab file would make of them", () => {
    expect(networkSpec(session, "lan01", { cidr: ["10.1.0.0/24"] })).toMatchObject({
      name: "lan01",
      type: "lan",
      cidr: ["10.1.0.0/24"],
    });
    expect(nodeSpec(session, empty, "pc", { kind: "netns" })).toMatchObject({ name: "pc", kind: "netns", nics: [] });
  });
  test("are refused as a lab file would be, without a line and column", () => {
    try {
      nicSpec(session, empty, { network: "nope" });
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof YardError)) throw error;
      expect(error.code).toBe("nic.network-unknown");
      expect(error.where).toBeUndefined();
      expect(error.excerpt).toBeUndefined();
    }
  });
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
