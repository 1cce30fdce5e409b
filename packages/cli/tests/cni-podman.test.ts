import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { run } from "@switchyard/base";
import {
  expectSameMachine,
  type Machine,
  type PodmanConfiguration,
  podmanConfiguration,
  requires,
  snapshotMachine,
} from "@switchyard/testing";
import { type CniYard, cniYard } from "./cni-site.ts";

setDefaultTimeout(90_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "cni-plugins", "podman", "busybox"))(
  "podman on Open vSwitch by CNI",
  () => {
    let before: Machine;
    let site: CniYard;
    let engine: PodmanConfiguration;
    beforeAll(async () => {
      before = await snapshotMachine();
      site = await cniYard(`tcnicli${process.pid}`);
      engine = await podmanConfiguration({ cniPlugins: [site.wrapped, "/usr/lib/cni"] });
      mkdirSync(engine.networks, { recursive: true });
      for (const [name, vlan] of [
        ["red", 100],
        ["blue", 200],
      ] as const) {
        const { cniVersion, ...plugin } = { cniVersion: "1.0.0", ...site.conf({ vlan }) };
        const ipam = {
          type: "host-local",
          dataDir: `${site.folder}/ipam`,
          ranges: [[{ subnet: "10.79.0.0/24", gateway: "10.79.0.1" }]],
          routes: [{ dst: "0.0.0.0/0" }],
        };
        const plugins = [{ ...plugin, capabilities: { mac: true, ips: true }, ipam }, { type: "tuning" }];
        writeFileSync(`${engine.networks}/${name}.conflist`, JSON.stringify({ cniVersion, name, plugins }));
      }
    });
    afterAll(async () => {
      await engine?.[Symbol.asyncDispose]();
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: /tcnicli|sypodman/ });
    });

    const podman = (...argv: readonly string[]) => run(["podman", ...argv], { env: { ...site.env, ...engine.env } });
    const start = (name: string, ...argv: readonly string[]) =>
      podman("run", "--detach", "--name", name, ...argv, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc");

    test("containers of a VLAN ping each other and talk TCP, those of another do not hear them", async () => {
      await start("a", "--network", "red", "--mac-address", "02:00:00:00:79:01", "--ip", "10.79.0.10");
      await start("b", "--network", "red");
      await start("c", "--network", "blue", "--ip", "10.79.0.77");
      const seen = await podman("exec", "a", "ip", "address", "show", "eth0");
      expect(seen).toContain("02:00:00:00:79:01");
      expect(seen).toContain("10.79.0.10/24");
      expect(await podman("exec", "b", "ping", "-c", "1", "-W", "2", "10.79.0.10")).toContain("1 packets received");
      expect(await podman("exec", "b", "wget", "-q", "-O", "-", "http://10.79.0.10/passwd")).toContain("root:x:0:0");
      await expect(podman("exec", "b", "ping", "-c", "1", "-W", "1", "10.79.0.77")).rejects.toThrow();
      expect((await site.vsctl("list-ports", "br0")).trim().split("\n")).toHaveLength(3);
    });

    test("a container that is removed gives back its port and its address", async () => {
      await podman("rm", "--force", "--time", "0", "a", "b", "c");
      expect((await site.vsctl("list-ports", "br0")).trim()).toBe("");
      expect(await run(["find", `${site.folder}/ipam`, "-name", "10.79.*"])).toBe("");
    });
  },
);
