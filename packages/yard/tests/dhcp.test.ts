import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { clientPid, kill, nicOf, serverCommand } from "./dhcp-server.ts";
import { LiveYard } from "./live.ts";
import { expectBulkBetween } from "./tcp.ts";

setDefaultTimeout(90_000);

const NAME = `tlease${process.pid}`;

describe.skipIf(!requires("root", "openvswitch", "runc", "busybox", "iperf3", "ping", "dnsmasq", "nftables"))(
  "a nic with dhcp",
  () => {
    let before: Machine;
    let yard: LiveYard;
    const lab = () => `
name: leases
networks:
  floor: {}
  office: { type: vlan, id: 100, master: floor }
  wide: { type: vxlan, id: 86, peers: 10.86.9.9 }
  home: { type: nat, cidr: 10.86.4.0/24 }
nodes:
  one:
    kind: netns
    nics: [ { network: floor, ip: 10.86.1.1/24, vlan: 100 } ]
    exec: [ ${JSON.stringify(serverCommand(yard.folder, 1))} ]
  two: { kind: netns, nics: [ { network: wide, ip: 10.86.2.1/24 } ], exec: [ ${JSON.stringify(serverCommand(yard.folder, 2))} ] }
  a: { kind: netns, nics: [ { network: office, dhcp: true } ], exec: [ [ping, -c, "1", 10.86.1.1] ] }
  b:
    kind: container
    runtime: oci
    image: busybox
    command: [sleep, inf]
    nics: [ { network: office, config: { dhcp: true } }, { network: wide, dhcp: true }, { network: home, dhcp: true } ]
`;

    beforeAll(async () => {
      before = await snapshotMachine();
      yard = await LiveYard.create(NAME);
      // As /run is: the clients read and write as nobody.
      chmodSync(yard.folder, 0o711);
    });
    afterAll(async () => {
      await yard[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    });

    const lease = (node: string, nic?: string) => yard.until((rows) => nicOf(rows, node, nic)?.status.lease);

    test("has what its server grants, on a vlan, a vxlan and a nat, before its commands are run", async () => {
      expect((await yard.up(lab())).failures).toEqual([]);
      const a = await lease("a");
      expect(a.address).toMatch(/^10\.86\.1\.10\d\/24$/);
      expect(String(a.server)).toBe("10.86.1.1");
      expect(a.expires - Date.now()).toBeLessThanOrEqual(16_000);
      expect((await yard.in("a", "ip", "route")).stdout).toContain("default via 10.86.1.1 dev eth0");
      expect((await yard.in("a", "cat", "/etc/resolv.conf")).stdout).toBe("nameserver 10.86.1.53\n");
      expect((await lease("b", "eth1")).address).toMatch(/^10\.86\.2\.10\d\/24$/);
      expect(await lease("b", "eth2")).toMatchObject({ address: "10.86.4.2/24", server: "10.86.4.1" });
      await expectBulkBetween(yard, "a", "b", (await lease("b")).address.replace("/24", ""));
      expect(await yard.plan(lab())).toEqual([]);
    });

    const clientOf = async (node: string) => {
      const { port } = (await yard.until((rows) => nicOf(rows, node))).status;
      return clientPid(yard.paths.run, port) ?? 0;
    };

    test("keeps its client, which has no privileges to speak of, when the agent is killed", async () => {
      const client = await clientOf("a");
      await kill(await yard.agentPid());
      expect((await yard.up(lab())).failures).toEqual([]);
      expect(await clientOf("a")).toBe(client);
      const status = readFileSync(`/proc/${client}/status`, "utf8");
      expect(status).toMatch(/^Uid:\t65534\t65534\t65534/m);
      // CAP_NET_RAW and CAP_NET_BIND_SERVICE (capabilities(7)).
      expect(status).toMatch(/^CapBnd:\t0000000000002400$/m);
    });

    test("keeps its address when its client is killed, and gets another client", async () => {
      const client = await clientOf("a");
      const { address } = await lease("a");
      await kill(client);
      expect((await yard.up(lab())).failures).toEqual([]);
      expect(await clientOf("a")).not.toBe(client);
      expect((await yard.in("a", "ip", "address", "show", "dev", "eth0")).stdout).toContain(address);
    });

    test("leaves neither address nor client nor lease when it has dhcp no more", async () => {
      const fixed = lab().replaceAll(/config: { dhcp: true }|dhcp: true/g, "ip: none");
      expect((await yard.up(fixed)).failures).toEqual([]);
      expect((await yard.in("a", "ip", "-4", "address", "show", "dev", "eth0")).stdout).not.toContain("10.86.1.");
      const folders = [`${yard.paths.run}.dhcp`, `${yard.paths.run}.dhcp/leases`, join(yard.paths.run, "services")];
      expect(folders.flatMap((it) => readdirSync(it)).filter((it) => /dhcp|bound/.test(it))).toEqual([]);
    });
  },
);
