/** What `ec` makes, as part of a yard. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import { z } from "zod";
import { EcSite, LIMIT } from "./ec-site.ts";

const ready = requires("root", "openvswitch", "docker-engine", "busybox");

const viewSchema = z.looseObject({
  nodes: z.array(
    z.looseObject({ name: z.string(), nics: z.array(z.looseObject({ port: z.string(), state: z.string() })) }),
  ),
  networks: z.array(z.looseObject({ name: z.string(), bridge: z.string().nullable() })),
});
const serviceSchema = z.object({ pid: z.number() });

describe.skipIf(!ready)("ec's containers in a yard", () => {
  let before: Machine;
  let site: EcSite;
  beforeAll(async () => {
    before = await snapshotMachine();
    site = await EcSite.create();
    await site.ec("create-vswitch", "10.0.0.254/24");
    await site.ec("--slot=1", "start", "busybox", "sleep", "600");
    await site.ec("--slot=2", "start", "busybox", "httpd", "-f", "-h", "/etc");
  }, LIMIT);
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(site.yardName), timeout: patience(10_000) });
  }, LIMIT);

  const view = async () => viewSchema.parse(JSON.parse(await site.yard("ps", "--json")));
  /** Once they are so; the yard's agent sees what a command has done a moment later. */
  const until = (container: string, condition: string) =>
    site.docker("exec", container, "timeout", `${patience(10)}`, "sh", "-c", `until ${condition}; do sleep 0.1; done`);
  const fetch = "timeout 2 wget -q -O /dev/null http://10.0.0.2/group";
  /** The round trip's least, in milliseconds. */
  const delay = async () => {
    await site.docker("exec", "ovs0-s01", "ping", "-c1", "-W2", "10.0.0.2");
    const said = await site.docker("exec", "ovs0-s01", "ping", "-c2", "-i", "0.2", "-W2", "10.0.0.2");
    return Number(/min\/avg\/max = ([\d.]+)/.exec(said)?.[1]);
  };

  test(
    "are listed, entered, spied on and captured as other nodes, and removed by ec alone",
    async () => {
      const { nodes, networks } = await view();
      expect(networks).toMatchObject([{ name: "ovs0", type: "bridge", bridge: "ovs0" }]);
      const up = { state: "up", network: "ovs0" };
      expect(nodes).toMatchObject([
        { name: "ovs0-s01", kind: "guest", nics: [{ ...up, port: "ovs0-s01", ofport: 1, mac: "52:00:0a:00:00:01" }] },
        { name: "ovs0-s02", kind: "guest", nics: [{ ...up, port: "ovs0-s02", ofport: 2, mac: "52:00:0a:00:00:02" }] },
      ]);
      expect(await site.yard("exec", "ovs0-s01", "--", "hostname")).toEndWith("-ovs0-s01\n");
      await site.yard("spy", "ovs0-s01:eth0", "on");
      expect(await site.vsctl("get", "Mirror", "s_ovs0-s01", "name")).toBe("s_ovs0-s01");
      const captured = site.yard("capture", "ovs0-s01:eth0", "--count", "2");
      await until("ovs0-s01", fetch);
      expect((await captured).length).toBeGreaterThan(100);
      expect(await site.yard("rm", "ovs0-s01").catch(String)).toContain("docker rm");
      await site.yard("spy", "ovs0-s01:eth0", "off");
    },
    LIMIT,
  );

  test(
    "are impaired in their slot, and keep that and their nic over a restart",
    async () => {
      await site.yard("impair", "ovs0-s01:eth0", "delay=30ms");
      expect(await delay()).toBeGreaterThan(55);
      await site.docker("restart", "-t", "0", "ovs0-s01");
      await until("ovs0-s01", fetch);
      expect(await site.vsctl("get", "Interface", "ovs0-s01", "ofport_request")).toBe("1");
      await site.yard("spy", "ovs0-s02:eth0", "on");
      await site.yard("spy", "ovs0-s02:eth0", "off");
      await site.yard("impair", "ovs0-s01:eth0", "off");
      expect(await delay()).toBeLessThan(30);
      expect(await site.ofctl("dump-flows", "ovs0")).toContain("dl_dst=52:00:0a:00:00:01 actions=output:1");
    },
    LIMIT,
  );

  test(
    "have their flows, their flags and the ports of the switch's own again when the switch was killed, and so its address",
    async () => {
      await site.ec("--slot=3", "--dual-nic", "--internal", "start", "busybox", "sleep", "600");
      process.kill(Number(readFileSync(join(site.runDir, "ovs-vswitchd.pid"), "utf8")), "SIGKILL");
      await until("ovs0-s03", "ip address show br0 | grep -q 10.0.0.3/24 && ping -c1 -W1 10.0.0.2");
      await until("ovs0-s01", `${fetch} && ping -c1 -W1 10.0.0.254`);
      const flows = await site.ofctl("dump-flows", "ovs0");
      for (const slot of [1, 2, 3]) expect(flows).toContain(`dl_dst=52:00:0a:00:00:0${slot} actions=output:${slot}`);
      expect(await site.ofctl("show", "ovs0")).toMatch(/\(ovs0-o03\)[^(]*config: +[A-Z_ ]*NO_FLOOD/);
      await site.ec("stop", "3");
    },
    LIMIT,
  );

  test(
    "are kept by a process that comes again when it is killed; what docker removes leaves nothing either",
    async () => {
      const keeper = () =>
        serviceSchema.parse(JSON.parse(readFileSync(join(site.runDir, "services/ec-keeper.pid"), "utf8")));
      process.kill(keeper().pid, "SIGKILL");
      await site.docker("restart", "-t", "0", "ovs0-s01");
      await until("ovs0-s01", fetch);
      await site.docker("rm", "-f", "ovs0-s02");
      await until("ovs0-s01", "! ping -c1 -W1 10.0.0.2");
      expect((await view()).nodes.map(({ name }) => name)).toEqual(["ovs0-s01"]);
      expect(await site.vsctl("list-ports", "ovs0")).toBe("ovs0-s01");
      await site.ec("stop", "1");
      await site.ec("delete-vswitch");
      expect(await view()).toMatchObject({ nodes: [], networks: [] });
    },
    LIMIT,
  );
});
