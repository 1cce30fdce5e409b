import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine, temporaryFolder } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const executable = new URL("../../../dist/yard", import.meta.url).pathname;

describe.skipIf(!requires("root", "openvswitch", "iproute2"))("yard ovs", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  const run = (...argv: readonly string[]) => site.yard(yard, argv);
  const done = (stdout: string, stderr = "") => ({ code: 0, stdout, stderr });

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(yard) });
  });

  test("says how to start a switch that is asked for what is on it, and starts it for a change that is none in error", async () => {
    for (const [words, status, error] of [
      [["show"], 1, `the switch of yard ${yard} does not run [ovs.not-running]`],
      [["show"], 1, `start it: sudo yard -y ${yard} agent`],
      [["vlan-ensure", "backplane", "5000"], 2, "[ovs.bad-argument]"],
    ] as const) {
      const { code, stderr } = await run("ovs", ...words);
      expect(code).toBe(status);
      expect(stderr).toContain(error);
    }
    expect(JSON.parse((await run("yards", "--json")).stdout)).toEqual([]);
    expect(await run("ovs", "bridge-add", "first")).toEqual(done(""));
    expect(await run("ovs", "bridge-del", "first")).toEqual(done(""));
  });

  test("works on the switch of a yard: JSON and plain options, any spelling", async () => {
    expect((await run("add", "netns", "pc")).code).toBe(0);
    expect(await run("ovs", "bridge-add", '{"bridge": "backplane"}')).toEqual(done(""));
    expect(await run("ovs", "ovs.bridge_add", "other", "--datapath", "netdev", "--json")).toEqual(done("null\n"));
    expect(await run("ovs", "port-add", "backplane", "p0", "--type", "patch", "--option", "peer=p1")).toEqual(done(""));
    expect(
      await run("ovs", "port_add", "other", "p1", "--vlan", "10", "--type", "patch", "--option", "peer=p0"),
    ).toEqual(done(""));
    expect(await run("ovs", "vlan-ensure", "backplane", "10")).toEqual(done("vlbr10\n"));
    const json = { input: '{"master":"backplane","vlan":"10","colour":"red"}' };
    expect(await site.yard(yard, ["ovs", "vlan_ensure", "-", "--json"], json)).toEqual(
      done('"vlbr10"\n', 'note: vlan-ensure: "colour" is no argument and is ignored\n'),
    );
    expect(await run("ovs", "set", "Port", "p1", "tag=20", "other_config:a=b")).toEqual(done(""));
    expect(await run("ovs", "get", "Port", "p1", "tag", "other_config:a")).toEqual(done("20\nb\n"));
    expect(await run("ovs", "list")).toEqual(done("backplane\nother\nvlbr10\n"));
    const found = await run("ovs", "find", "Port", "tag=20", "--column", "name", "--json");
    expect(JSON.parse(found.stdout)).toEqual([{ name: "p1" }]);
    const { stdout } = await run("ovs", "show");
    expect(stdout).toMatch(/^Open vSwitch/);
    expect(stdout).toMatch(/backplane bridge, netdev; ovs: bridge\n/);
    expect(stdout).toMatch(/ {2}p1 tag 20, patch, peer=p0, port \d+; ovs: port\n/);
  });

  test("fails as the command does: 1 for what cannot be, 2 for a wrong call", async () => {
    const missing = await run("ovs", "port-add", "backplane", "nowhere");
    expect(missing).toMatchObject({ code: 1, stdout: "" });
    expect(missing.stderr).toContain("[ovs.no-device]");
    expect((await run("ovs", "port-add", "backplane", "x", "--vlan", "4095")).code).toBe(2);
    expect((await run("ovs", "port-add", "backplane")).code).toBe(2);
    expect((await run("ovs", "bridge-ad", "x")).stderr).toContain("usage.wrong");
    const asJson = await run("ovs", "bridge-del", "none", "--json");
    expect(JSON.parse(asJson.stderr)).toMatchObject({ errors: [{ code: "switch.no-bridge" }] });
    expect((await run("ovs", "list")).stdout).toBe("backplane\nother\nvlbr10\n");
  });

  test("a device that is in a node's namespace is found there", async () => {
    await tryRun(["ip", "-n", `yard_${yard}_pc`, "link", "add", "tc0", "type", "veth", "peer", "name", "tc1"]);
    const { stderr } = await run("ovs", "port-add", "backplane", "tc0");
    expect(stderr).toContain(
      `it is in yard_${yard}_pc; move it: ip -n yard_${yard}_pc link set tc0 netns yard_${yard}`,
    );
  });

  test("leaves the yard's own to the yard", async () => {
    expect((await run("add", "network", "lan01")).code).toBe(0);
    const { code, stderr } = await run("ovs", "bridge-del", "_b_lan01");
    expect(code).toBe(1);
    expect(stderr).toContain(`the bridge _b_lan01 belongs to ${yard} [ovs.not-yours]`);
    expect(await run("ovs", "bridge-del", "other")).toEqual(done(""));
  });

  test("called as ovs-plugin answers in corex's frame, on the switch of its own namespace", async () => {
    await using folder = await temporaryFolder("tcli-");
    const plugin = join(folder.path, "ovs-plugin");
    symlinkSync(executable, plugin);
    const env = { ...childEnvironment(), OVS_RUNDIR: join(site.folder, "..", "run", yard) };
    const call = (...argv: readonly string[]) =>
      tryRun(["ip", "netns", "exec", `yard_${yard}`, plugin, ...argv], { env });
    expect(await call("bridge-add", '{"bridge":"plug"}')).toEqual(done("20:::null\n:::\n"));
    expect(await call("vlan-ensure", '{"master":"plug","vlan":7}')).toEqual(done('20:::"vlbr7"\n:::\n'));
    expect(await call("bridge-del", '{"bridge":"plug"}')).toEqual(done('20:::""\n:::\n'));
    const failed = await call("bridge-del", '{"bridge":"plug"}');
    expect(failed).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^20:::"there is no bridge named plug.*"\n:::\n$/),
    });
    expect((await call("nonsense", "{}")).stdout).toMatch(/^20:::"unknown command: nonsense/);
    expect((await call("bridge-add", "{")).code).toBe(1);
    expect((await call()).stdout).toMatch(/^20:::"missing command/);
    // `--system` is the switch of the namespace that it runs in, too.
    const listed = await tryRun(["ip", "netns", "exec", `yard_${yard}`, executable, "--system", "ovs", "list"], {
      env,
    });
    expect(listed.stdout).toContain("backplane\n");
  });
});
