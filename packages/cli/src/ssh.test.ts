import { expect, test } from "bun:test";
import { parseIp } from "@switchyard/base";
import { hostsWay, sshCommand } from "@switchyard/yard/inside";
import { nic, node, office } from "./view/office.fixture.ts";

const address = parseIp("10.1.0.7");

test("ssh gets the words of a command as a shell puts them together again, and no question to ask", () => {
  const argv = sshCommand({ user: "admin", key: "/keys/id" }, address, ["echo", "a b", "it's"], false);
  expect(argv.slice(-6)).toEqual(["-T", "-l", "admin", "--", "10.1.0.7", "echo 'a b' 'it'\\''s'"]);
  expect(argv).toContain("StrictHostKeyChecking=no");
  expect(argv.slice(argv.indexOf("-i"), argv.indexOf("-i") + 2)).toEqual(["-i", "/keys/id"]);
  expect(argv).toContain("IdentitiesOnly=yes");
  expect(sshCommand({ user: "admin" }, address, [], true).slice(-5)).toEqual(["-t", "-l", "admin", "--", "10.1.0.7"]);
});

const paths = { run: "/nowhere" };

test("a node is reached by its address on a network that the host is on", async () => {
  const [lan] = office.networks;
  if (lan === undefined) throw new Error("the office has networks");
  const vm = node("vm", [nic("eth0", "other", ["10.7.0.1/24"]), nic("eth1", lan.name, ["10.1.0.7/24"])]);
  const view = (gateway: readonly string[]) => ({ ...office, nodes: [vm], networks: [{ ...lan, gateway }] });
  expect(await hostsWay(view(["10.1.0.254"]), "vm", paths)).toBe(address);
  expect(hostsWay(view([]), "vm", paths)).rejects.toThrow("the host reaches vm by no network");
});

test("it is reached over a nat or a tap that is on its network, too", async () => {
  const vm = node("vm", [nic("eth0", "other", ["10.1.0.7/24"])]);
  const nat = node("out", [nic("eth0", "other", [])], { kind: "nat", subnets: ["10.1.0.0/24"] });
  const tap = node("lab0", [nic("lab0", "other", ["10.1.0.200/24"])], { kind: "tap" });
  for (const way of [nat, tap])
    expect(await hostsWay({ ...office, networks: [], nodes: [vm, way] }, "vm", paths)).toBe(address);
  const elsewhere = node("out", [nic("eth0", "third", [])], { kind: "nat", subnets: ["10.1.0.0/24"] });
  expect(hostsWay({ ...office, networks: [], nodes: [vm, elsewhere] }, "vm", paths)).rejects.toThrow("by no network");
});
