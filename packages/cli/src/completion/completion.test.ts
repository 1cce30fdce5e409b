import { describe, expect, test } from "bun:test";
import { createProgram } from "../program.ts";
import { createSession } from "../session.ts";
import { complete, type Known } from "./candidates.ts";

const known: Known = {
  nodes: async () => ["web", "router"],
  nics: async () => ["web:eth0"],
  passages: async () => [],
  links: async () => ["web:eth1--pc:eth1"],
  networks: async () => ["lan01"],
  bridges: async () => ["office"],
  switchBridges: async () => ["backplane"],
  labs: async () => ["office"],
  yards: async () => ["main", "test"],
};

async function values(...words: readonly string[]): Promise<string[]> {
  const session = createSession(process, {}, "/", new AbortController().signal);
  const { candidates, files } = await complete(await createProgram(session, words), words, known);
  return [...candidates.map(({ value }) => value), ...(files ? [":files"] : [])];
}

describe("completion", () => {
  test("offers verbs, those of our own scripts not", async () => {
    expect(await values("")).toContain("pingall");
    expect(await values("")).not.toContain("__complete");
    expect(await values("in")).toEqual(["init", "inspect"]);
    expect(await values("-y", "test", "do")).toEqual(["down", "doctor", "docker-driver"]);
  });

  test("offers options once a dash is typed", async () => {
    expect(await values("up", "--")).toEqual(["--check", "--json", "--yard", "--system"]);
    expect(await values("agent", "--an")).toEqual([]);
  });

  test("offers what an argument is", async () => {
    expect(await values("inspect", "")).toEqual(["web", "router"]);
    expect(await values("inspect", "web", "r")).toEqual(["router"]);
    expect(await values("stop", "web", "--grace", "5", "r")).toEqual(["router"]);
    expect(await values("start", "w")).toEqual(["web"]);
    expect(await values("exec", "-it", "w")).toEqual(["web"]);
    expect(await values("detach", "")).toEqual(["web:eth0"]);
    expect(await values("attach", "web", "")).toEqual(["lan01", "default"]);
    expect(await values("nic", "rm", "web", "")).toEqual(["eth0"]);
    expect(await values("nic", "rm", "router", "")).toEqual([]);
    expect(await values("help", "pi")).toEqual(["pingall"]);
    expect(await values("ovs", "vlan-ensure", "")).toEqual(["backplane"]);
    expect(await values("ovs", "get", "Br")).toEqual(["Bridge"]);
    expect(await values("rm", "")).toEqual(["web", "router", "lan01"]);
    expect(await values("cp", "w")).toEqual(["web:", ":files"]);
    expect(await values("up", "")).toEqual([":files"]);
    expect(await values("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(await values("add", "")).toEqual(expect.arrayContaining(["network", "netns", "container"]));
  });

  test("offers what an option's value is", async () => {
    expect(await values("-y", "")).toEqual(["main", "test"]);
    expect(await values("ps", "--lab", "")).toEqual(["office"]);
    expect(await values("nic", "add", "web", "--type", "v")).toEqual(["vlan", "vxlan"]);
    expect(await values("add", "network", "n", "--type", "l")).toEqual(["lan"]);
    expect(await values("add", "container", "c", "--runtime", "")).toEqual(["docker", "podman", "oci"]);
    expect(await values("bridge", "create", "b", "--mode", "d")).toEqual(["dnsmasq"]);
    expect(await values("ovs", "bond-add", "--mode", "a")).toEqual(["active-backup"]);
    expect(await values("add", "netns", "pc", "-n", "")).toEqual(["lan01"]);
  });

  test("leaves the words of a command in a node alone", async () => {
    expect(await values("exec", "web", "--", "l")).toEqual([]);
  });
});
