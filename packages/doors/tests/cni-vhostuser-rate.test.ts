import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CniSite, cniSite } from "./cni-site.ts";
import { containerSwitch, hugepages, startDpdk } from "./dpdk.ts";
import { megabits, pings, serveIperf } from "./switch.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "iperf3", "cni-plugins", "dpdk"))(
  "vhost-user by CNI",
  () => {
    let before: Machine;
    let site: CniSite;
    const started = new AsyncDisposableStack();
    beforeAll(async () => {
      before = await snapshotMachine();
      started.use(hugepages(256));
      site = started.use(await cniSite({ vswitchd: false }));
      started.use(await startDpdk(site.sw, "--in-memory", 0));
      await site.sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev");
      await site.sw.ip("address", "add", "10.84.0.1/24", "dev", "br0");
      await site.sw.ip("link", "set", "br0", "up");
    });
    afterAll(async () => {
      await started.disposeAsync();
      await expectSameMachine(before, { ours: /tdoors[_-]/ });
    });

    test("is held to its bandwidth in both directions by the switch", async () => {
      const id = "0123456789abcdef";
      const network = {
        cniVersion: "1.1.0",
        name: "vhost",
        type: "switchyard",
        interfaceType: "dpdkvhostuserclient",
        socketDir: `${site.folder}/sockets`,
        bridge: "br0",
        runtimeConfig: { bandwidth: { ingressRate: 20_000_000, egressRate: 10_000_000 } },
      };
      const nic = { id, netns: site.container("a"), env: { SWITCHYARD_RUN_DIR: `${site.folder}/run` } };
      expect((await site.call("ADD", network, nic)).code).toBe(0);
      symlinkSync(`${site.folder}/sockets/0123456789ab`, `${site.folder}/in`);
      await using containers = new AsyncDisposableStack();
      const { namespace } = await containerSwitch(containers, {
        name: "vu0",
        address: "10.84.0.2/24",
        device: `net_virtio_user0,path=${site.folder}/in/0123456789ab-eth0,queues=1,server=1`,
      });
      let answered = false;
      for (let tries = 0; tries < 10 && !answered; tries++) answered = await pings(namespace, "10.84.0.1");
      expect(answered).toBe(true);
      const serving = serveIperf(`/run/netns/${site.sw.namespace}`, 2);
      const inside = `/run/netns/${namespace}`;
      const sent = await megabits(inside, "10.84.0.1");
      const got = await megabits(inside, "10.84.0.1", "--reverse");
      await serving;
      // What is too much is lost, and most of a second's worth may come at once.
      expect([sent > 3, sent < 25, got > 5, got < 45]).toEqual([true, true, true, true]);
      expect((await site.call("DEL", network, nic)).code).toBe(0);
      expect([site.sw.ports().br0, [...site.sw.db.table("QoS")]]).toEqual([[], []]);
    });
  },
);
