import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@switchyard/base";
import { endProcess, identify } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import type { NicEntry, Rows } from "../src/store/mod.ts";
import { LiveYard } from "./live.ts";
import { expectBulkBetween } from "./tcp.ts";

setDefaultTimeout(90_000);

const NAME = `tlease${process.pid}`;
/** Seconds that the servers of these tests grant. */
const SECONDS = 6;

function nicOf({ nodes }: Rows, node: string, nic = "eth0"): NicEntry | undefined {
  return nodes.find(({ name }) => name === node)?.nics.find(({ name }) => name === nic);
}

describe.skipIf(!requires("root", "openvswitch", "runc", "busybox", "iperf3", "ping", "dnsmasq", "nftables"))(
  "a nic with dhcp",
  () => {
    let before: Machine;
    let yard: LiveYard;
    const pidFile = (subnet: number) => join(yard.folder, `server${subnet}.pid`);
    /** The configuration of busybox' DHCP server, whose leases may be as short as wanted. */
    const server = (subnet: number) => {
      const file = join(yard.folder, `server${subnet}.conf`);
      const [pid, leases] = [pidFile(subnet), join(yard.folder, `server${subnet}.leases`)];
      const lines = [
        ...["interface eth0", `start 10.86.${subnet}.100`, `end 10.86.${subnet}.109`, `lease_file ${leases}`],
        ...[`pidfile ${pid}`, `min_lease ${SECONDS}`, `option lease ${SECONDS}`, "option subnet 255.255.255.0"],
        ...[`option router 10.86.${subnet}.1`, `option dns 10.86.${subnet}.53`],
      ];
      writeFileSync(file, `${lines.join("\n")}\n`);
      return `[busybox, udhcpd, ${file}]`;
    };
    const lab = () => `
name: leases
networks:
  floor: {}
  office: { type: vlan, id: 100, master: floor }
  wide: { type: vxlan, id: 86, peers: 10.86.9.9 }
  home: { type: nat, cidr: 10.86.4.0/24 }
nodes:
  one: { kind: netns, nics: [ { network: floor, ip: 10.86.1.1/24, vlan: 100 } ], exec: [ ${server(1)} ] }
  two: { kind: netns, nics: [ { network: wide, ip: 10.86.2.1/24 } ], exec: [ ${server(2)} ] }
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

    test("has what its server grants, on a vlan, a vxlan and a nat, and so has the command that waits for it", async () => {
      expect((await yard.up(lab())).failures).toEqual([]);
      await using store = await yard.store();
      const rows = await yard.until((it) => it);
      const a = nicOf(rows, "a");
      expect(a?.status.lease?.address).toMatch(/^10\.86\.1\.10\d\/24$/);
      expect(a?.status.lease?.server).toBe("10.86.1.1" as never);
      expect((await yard.in("a", "ip", "route")).stdout).toContain("default via 10.86.1.1 dev eth0");
      expect((await yard.in("a", "cat", "/etc/resolv.conf")).stdout).toBe("nameserver 10.86.1.53\n");
      expect(nicOf(rows, "b", "eth1")?.status.lease?.address).toMatch(/^10\.86\.2\.10\d\/24$/);
      expect(nicOf(rows, "b", "eth2")).toMatchObject({
        addresses: ["10.86.4.2/24"],
        status: { state: "up", lease: { address: "10.86.4.2/24", server: "10.86.4.1" } },
      });
      await expectBulkBetween(yard, "a", "b", (nicOf(rows, "b")?.status.lease?.address ?? "").replace("/24", ""));
      expect(await yard.plan(lab())).toEqual([]);
    });
  },
);
