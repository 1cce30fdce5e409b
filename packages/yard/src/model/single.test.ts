import { describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import { networkSpec, nicSpec, nodeSpec } from "./single.ts";

const nothing = { networks: [], environment: {} };

describe("one thing by itself", () => {
  test("becomes what a lab file would make of them", () => {
    expect(networkSpec("lan01", { cidr: ["10.1.0.0/24"] }, {})).toMatchObject({
      name: "lan01",
      type: "lan",
      cidr: ["10.1.0.0/24"],
    });
    expect(nodeSpec("pc", { kind: "netns" }, nothing)).toMatchObject({ name: "pc", kind: "netns", nics: [] });
  });
  test("is refused as a lab file would be, without a line and column", () => {
    try {
      nicSpec({ network: "nope" }, nothing);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof YardError)) throw error;
      expect(error.code).toBe("nic.network-unknown");
      expect(error.where).toBeUndefined();
      expect(error.excerpt).toBeUndefined();
    }
  });
});
