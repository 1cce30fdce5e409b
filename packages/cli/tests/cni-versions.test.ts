import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CniYard, cniYard } from "./cni-site.ts";

setDefaultTimeout(30_000);

const ID = "0123456789abcdef";
/** Follows from the address. */
const MAC = "0a:58:0a:4f:00:02";

/** What a runtime of each version is told, by that version's SPEC.md: `port` and `hostMac` are the switch's end. */
const golden = (port: string, hostMac: string, netns: string) => {
  const gateway = "10.79.0.1";
  const routes = [{ dst: "0.0.0.0/0", gw: gateway }];
  const ip = { address: "10.79.0.2/24", gateway, interface: 1 };
  const old = { ip4: { ip: "10.79.0.2/24", gateway, routes }, dns: {} };
  const host = { name: port, mac: hostMac };
  const nic = { name: "eth0", mac: MAC, sandbox: netns };
  const interfaces = [host, nic];
  const middle = { interfaces, ips: [{ version: "4", ...ip }], routes, dns: {} };
  return {
    "0.1.0": old,
    "0.2.0": old,
    "0.3.0": middle,
    "0.3.1": middle,
    "0.4.0": middle,
    "1.0.0": { interfaces, ips: [ip], routes, dns: {} },
    "1.1.0": {
      interfaces: [
        { ...host, mtu: 1500 },
        { ...nic, mtu: 1500 },
      ],
      ips: [ip],
      routes,
      dns: {},
    },
  };
};

describe.skipIf(!requires("root", "openvswitch", "iproute2", "cni-plugins"))(
  "the installed CNI plugin, called in each version of CNI,",
  () => {
    let before: Machine;
    let site: CniYard;
    let netns: string;
    beforeAll(async () => {
      before = await snapshotMachine();
      site = await cniYard(`tcnicli${process.pid}`);
      netns = site.container("v");
    });
    afterAll(async () => {
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: /tcnicli/ });
    });

    /** Debian's plugins know CNI up to 1.0.0: after that a stand-in gives the address. */
    const ipam = (version: string) => {
      if (version !== "1.1.0") {
        const ranges = [[{ subnet: "10.79.0.0/24", rangeStart: "10.79.0.2", rangeEnd: "10.79.0.2" }]];
        return {
          type: "host-local",
          dataDir: `${site.folder}/${version}`,
          ranges,
          routes: [{ dst: "0.0.0.0/0", gw: "10.79.0.1" }],
        };
      }
      const answer = {
        cniVersion: version,
        ips: [{ address: "10.79.0.2/24", gateway: "10.79.0.1" }],
        routes: [{ dst: "0.0.0.0/0", gw: "10.79.0.1" }],
      };
      mkdirSync(`${site.folder}/ipam`);
      const file = `${site.folder}/ipam/stand-in`;
      writeFileSync(file, `#!/bin/sh\ntest $CNI_COMMAND = ADD && echo '${JSON.stringify(answer)}'\nexit 0\n`, {
        mode: 0o755,
      });
      return { type: "stand-in" };
    };

    for (const version of ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const)
      test(`answers ${version} in its form, and takes that back`, async () => {
        const conf = site.conf({ cniVersion: version, ipam: ipam(version) });
        const nic = { id: ID, netns, path: `${site.folder}/ipam:/usr/lib/cni` };
        const added = await site.call("ADD", conf, nic);
        expect(added).toMatchObject({ code: 0, stderr: "" });
        const [port = ""] = (await site.vsctl("list-ports", "br0")).trim().split("\n");
        const [link] = JSON.parse(await run(["ip", "-n", `yard_${site.name}`, "-json", "link", "show", port]));
        const result = JSON.parse(added.stdout);
        expect(result).toEqual({ cniVersion: version, ...golden(port, link.address, netns)[version] });
        const [inside] = JSON.parse(await run(["nsenter", `--net=${netns}`, "ip", "-json", "address", "show", "eth0"]));
        expect(inside).toMatchObject({ address: MAC, addr_info: [{ local: "10.79.0.2", prefixlen: 24 }, {}] });
        const checks = !/^0\.[1-3]/.test(version);
        const check = await site.call("CHECK", { ...conf, prevResult: result }, nic);
        // CHECK came with 0.4.0.
        expect([check.code, check.stdout === "" ? 0 : JSON.parse(check.stdout).code]).toEqual(checks ? [0, 0] : [1, 1]);
        const removed = await site.call("DEL", checks ? { ...conf, prevResult: result } : conf, nic);
        expect(removed).toEqual({ code: 0, stdout: "", stderr: "" });
        expect(await site.vsctl("list-ports", "br0")).toBe("");
      });
  },
);
