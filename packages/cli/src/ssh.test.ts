import { expect, test } from "bun:test";
import { parseIp } from "@switchyard/base";
import { hostsWay, sshCommand } from "./ssh.ts";
import { nic, node, office } from "./view/office.fixture.ts";

const address = parseIp("10.1.0.7");

test("ssh gets the words of a command as a shell puts them together again, and no question to ask", () => {
  const argv = sshCommand({ user: "admin", key: "/keys/id" }, address, ["echo", "a b", "it's"], false);
  expect(argv.slice(-6)).toEqual(["-T", "-l", "admin", "--", "10.1.0.7", "echo 'a b' 'it'\\''s'"]);
  expect(argv).toContain("StrictHostKeyChecking=no");
  expect(argv.slice(argv.indexOf("-i"), argv.indexOf("-i") + 4)).toEqual([
    "-i",
    "/keys/id",
    "-o",
    "IdentitiesOnly=yes",
  ]);
  expect(sshCommand({ user: "admin" }, address, [], true).slice(-5)).toEqual(["-t", "-l", "admin", "--", "10.1.0.7"]);
});

test("a node is reached by its address on a network that the host is on", () => {
  const [lan] = office.networks;
  if (lan === undefined) throw new Error("the office has networks");
  const vm = node("vm", [nic("eth0", "other", ["10.7.0.1/24"]), nic("eth1", lan.name, ["10.1.0.7/24"])]);
  const view = (gateway: readonly string[]) => ({ ...office, nodes: [vm], networks: [{ ...lan, gateway }] });
  expect(hostsWay(view(["10.1.0.254"]), "vm")).toBe(address);
  expect(() => hostsWay(view([]), "vm")).toThrow("the host is on no network of vm");
});
