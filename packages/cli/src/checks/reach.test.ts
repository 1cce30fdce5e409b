import { describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import { addressFor, pairsOf, parseReport, resolveTarget, sharedAddress } from "@switchyard/yard/checks";
import { nic, node, office } from "../view/office.fixture.ts";

const a = node("a", [nic("eth0", "x", ["10.0.0.1/24"]), nic("eth1", "y", ["10.1.0.1/24"])]);
const b = node("b", [nic("eth0", "z", ["10.2.0.2/24"]), nic("eth1", "y", ["10.1.0.2/24", "fd00::2/64"])]);
const c = node("c", [nic("eth0", "w", ["10.9.0.3/24"])]);
const bare = node("bare", [nic("eth0", "y", [])]);

describe("the address that a check goes to", () => {
  test("is the one on a network that both nodes are on", () => expect(String(addressFor(a, b))).toBe("10.1.0.2"));
  test("is the first of the node where they share none", () => expect(String(addressFor(a, c))).toBe("10.9.0.3"));
  test("is none where the node has none", () => expect(addressFor(a, bare)).toBeUndefined());
  test("may be reached over a wire", () => {
    const wire = { link: "p--q" };
    const p = node("p", [nic("eth0", null, ["10.0.0.1/30"], wire)]);
    const q = node("q", [nic("eth0", null, ["10.0.0.2/30"], wire)]);
    expect(String(sharedAddress(p, q))).toBe("10.0.0.2");
  });
  test("may be written out in the check", () =>
    expect(String(resolveTarget(office, "web", "10.2.0.254"))).toBe("10.2.0.254"));
  test("must be a node's or an address", () => {
    expect(() => resolveTarget(office, "web", "wbe")).toThrow(YardError);
    expect(() => resolveTarget(office, "web", "db")).toThrow("has no IP address");
  });
});

test("pingall pairs nodes that have addresses on a common network, both ways", () => {
  const pairs = pairsOf([a, b, c, bare]).flatMap(({ from, targets }) =>
    targets.map(({ to }) => `${from.name} ${to.name}`),
  );
  expect(pairs).toEqual(["a b", "b a"]);
});

describe("iperf3's report", () => {
  test("gives the receiver's rate", () => {
    const report = { end: { sum_sent: { retransmits: 4 }, sum_received: { bits_per_second: 7.4e9, seconds: 3.01 } } };
    expect(parseReport(JSON.stringify(report), 0)).toEqual({ bitsPerSecond: 7.4e9, seconds: 3.01, retransmits: 4 });
  });
  test("is an error when iperf3 says so, or says nothing", () => {
    expect(() => parseReport('{"error": "unable to connect"}', 1)).toThrow("unable to connect");
    expect(() => parseReport("", 1)).toThrow("exit code 1");
  });
});
