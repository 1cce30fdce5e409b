import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const NAME = `tnatn${process.pid}`;

describe.skipIf(!requires("root", "openvswitch", "dnsmasq", "nftables", "busybox", "ping", "iproute2"))(
  "a node of kind nat",
  () => {
    let before: Machine;
    let yard: LiveYard;
    const lab = (cidr: string, more = "") => `
name: ways
networks: { lan: {}, ${more} }
nodes:
  out: { kind: nat, cidr: ${cidr}, nics: [lan] }
  pc: { kind: netns, nics: [ { network: lan, dhcp: true } ] }
  fixed: { kind: netns, nics: [ { network: lan, ip: 10.95.3.200/24 } ] }
`;

    beforeAll(async () => {
      before = await snapshotMachine();
      yard = await LiveYard.create(NAME);
      // Its server of leases reads its files as nobody.
      chmodSync(yard.folder, 0o755);
    });
    afterAll(async () => {
      await yard[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    });

    test("leases addresses on the network that its nic is on, and is the way out", async () => {
      expect((await yard.up(lab("10.95.3.0/24"))).failures).toEqual([]);
      const address = await yard.until(
        ({ nodes }) => nodes.find(({ name }) => name === "pc")?.nics[0]?.status.lease?.address,
      );
      expect(address).toMatch(/^10\.95\.3\.\d+\/24$/);
      expect((await yard.in("pc", "ip", "route")).stdout).toContain("default via 10.95.3.1 ");
      expect(await yard.comesToReach("pc", "10.95.3.1")).toBe(true);
      expect(await yard.comesToReach("pc", "10.95.3.200")).toBe(true);
      expect((await yard.status("out"))?.state).toBe("running");
      const ports = await run(["ovs-vsctl", `--db=unix:${yard.paths.databaseSocket}`, "list-ports", "_b_lan"]);
      expect(ports).toBe("_k_1_0\n_k_2_0\n_k_3_0\n");
    });

    test("resolves the names of nodes, whose addresses nobody else is leased", async () => {
      const asked = await yard.in("pc", "busybox", "nslookup", "fixed", "10.95.3.1");
      expect(asked.stdout).toContain("10.95.3.200");
    });

    test("comes again when its device is taken away, and a second look finds nothing to do", async () => {
      const { stdout } = await tryRun(["ip", "-o", "-4", "address", "show", "to", "10.95.3.1"]);
      const device = stdout.split(/\s+/)[1] ?? "";
      await run(["ip", "link", "delete", device]);
      expect((await yard.up(lab("10.95.3.0/24"))).failures).toEqual([]);
      expect(await yard.comesToReach("pc", "10.95.3.1")).toBe(true);
      expect(await yard.plan(lab("10.95.3.0/24"))).toEqual([]);
    });

    test("is not on the host where its subnet would be in the way of another", async () => {
      const { failures } = await yard.up(lab("10.95.4.0/24", "other: { cidr: 10.95.4.0/23, gateway: 10.95.5.1 }"));
      expect(failures).toContainEqual(
        expect.objectContaining({ subject: { kind: "node", node: "out" }, code: "network.overlaps-host" }),
      );
      expect((await yard.up(lab("10.95.3.0/24"))).failures).toEqual([]);
      expect((await yard.up("name: ways\nnodes: {}\n")).failures).toEqual([]);
      expect((await tryRun(["ip", "-o", "-4", "address", "show", "to", "10.95.3.1"])).stdout).toBe("");
    });
  },
);
