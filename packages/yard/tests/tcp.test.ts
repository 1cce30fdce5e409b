import { describe, expect, test } from "bun:test";
import { expectSameMachine, requires, snapshotMachine } from "@switchyard/testing";
import { LiveYard } from "./live.ts";
import { expectBulkBetween, expectBulkWithHost, leavesOffloads } from "./tcp.ts";

const NAME = `ttcp${process.pid}`;

const LAB = `
name: tcp
networks:
  lan01: { cidr: 10.80.1.0/24, gateway: 10.80.1.254 }
  lan02: {}
nodes:
  a: { kind: netns, nics: [ { network: lan01, ip: 10.80.1.1/24 }, { network: lan02, ip: 10.80.2.1/24, vlan: 7 }, { name: eth2, ip: 10.80.3.1/24 } ] }
  b: { kind: netns, nics: [ { network: lan01, ip: 10.80.1.2/24 }, { network: lan02, ip: 10.80.2.2/24, vlan: 7 }, { name: eth2, ip: 10.80.3.2/24 } ] }
  c: { kind: container, runtime: oci, image: busybox, command: [httpd, -f, -h, /], nics: [ { network: lan01, ip: 10.80.1.3/24 } ],
       exec: ["dd if=/dev/zero of=/body bs=1M count=1"] }
links: [ { endpoints: ["a:eth2", "b:eth2"], mtu: 9000 } ]
`;

describe.skipIf(!requires("root", "openvswitch", "runc", "iperf3", "busybox", "iproute2"))(
  "TCP in a private yard",
  () => {
    test("passes both ways over a lan, a VLAN, a wire, to a container and to the host, with the nics' offloads left on", async () => {
      const before = await snapshotMachine();
      {
        await using yard = await LiveYard.create(NAME);
        expect((await yard.up(LAB)).failures).toEqual([]);
        await expectBulkBetween(yard, "a", "b", "10.80.1.2");
        await expectBulkBetween(yard, "a", "b", "10.80.2.2");
        await expectBulkBetween(yard, "a", "b", "10.80.3.2");
        await expectBulkBetween(yard, "a", "c", "10.80.1.3");
        await expectBulkWithHost(yard, "c", "10.80.1.3", "10.80.1.254");
        for (const nic of ["eth0", "eth1", "eth2"]) expect(await leavesOffloads(yard, "a", nic)).toEqual(["on", "on"]);
        // Who turns them off, for whole packets in a capture, finds them so later.
        expect((await yard.in("a", "ethtool", "-K", "eth0", "tx", "off")).code).toBe(0);
        expect((await yard.up(LAB)).failures).toEqual([]);
        expect(await leavesOffloads(yard, "a", "eth0")).toEqual(["off", "off"]);
        await expectBulkBetween(yard, "b", "a", "10.80.1.1");
      }
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    }, 120_000);
  },
);
