import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expectSameMachine, type Machine, makeRouterRoot, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(90_000);

const example = new URL("../../../examples/ring.yard.yaml", import.meta.url).pathname;

describe.skipIf(!requires("root", "openvswitch", "runc", "conmon", "busybox", "frr", "tcpdump"))(
  "a ring of nine routers with 24 lans, spied on everywhere",
  () => {
    const yard = yardName();
    let before: Machine;
    let site: Site;
    const said = (...argv: readonly string[]) => site.said(yard, argv);

    beforeAll(async () => {
      before = await snapshotMachine();
      site = await createSite();
      await makeRouterRoot(join(site.folder, "frr"));
      expect(await said("up", site.write("ring.yard.yaml", readFileSync(example, "utf8")))).toStartWith(
        "lab ring: 24 networks, 9 nodes added",
      );
    });
    afterAll(async () => {
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(yard) });
    });

    test("finds all ways by OSPF", async () => {
      expect(await said("check")).toContain("11 of 11 checks as expected");
    });

    test("has a spy at each interface, that sees the routers' hellos", async () => {
      const view = JSON.parse(await said("ps", "--json"));
      expect(JSON.stringify(view).match(/"spy":"s_k_\d+_\d+"/g)).toHaveLength(36);
      // Each second one of each router of the lan.
      await said("capture", "r1:eth0", "ip proto 89", "-c", "4", "-d", "20s", "-w", "ospf.pcapng");
    });

    test("goes round the other way where the ring is cut", async () => {
      await said("detach", "r1:eth0");
      // By now r1 has one lan less of its own, and learns of it from r2.
      const learned = 'until ip -4 route | grep -q "10.9.1.0/24.*metric"; do sleep 0.2; done';
      await said("exec", "r1", "--", "sh", "-c", learned);
      await said("exec", "r1", "--", "ping", "-c", "1", "-w", "10", "10.9.1.2");
      expect(await said("exec", "r1", "--", "vtysh", "-c", "show ip ospf neighbor")).toMatch(/Full\/.* eth1:/);
    });
  },
);
