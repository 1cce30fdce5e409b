import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { subjectText } from "../src/agent/subject.ts";
import { LiveYard } from "./live.ts";
import { expectBulkBetween } from "./tcp.ts";

setDefaultTimeout(90_000);

const NAME = `tleasev${process.pid}`;

function vsctl(yard: LiveYard, ...argv: string[]): Promise<string> {
  return run(["ovs-vsctl", "--timeout=10", `--db=unix:${yard.paths.databaseSocket}`, ...argv]);
}

describe.skipIf(!requires("root", "openvswitch", "runc", "iperf3", "ping", "iproute2"))(
  "a network of type vxlan without peers",
  () => {
    let before: Machine;
    let a: LiveYard;
    let b: LiveYard;
    const lab = (own: number, address = `address: 10.91.0.${own}/24, `) => `
name: groups
networks:
  backplane: {}
  back: { type: vlan, id: 2313, bridge: vxbackend }
  wide: { type: vxlan, id: 700, ${address}cidr: 10.91.7.0/24 }
  apart: { type: vxlan, id: 701 }
nodes:
  n: { kind: netns, nics: [ { network: wide, ip: 10.91.7.${own} } ] }
  c: { kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [ { network: wide, ip: 10.91.7.${own + 10} } ] }
  x: { kind: netns, nics: [ { network: apart, ip: 10.91.7.${own + 20}/24 } ] }
`;

    beforeAll(async () => {
      before = await snapshotMachine();
      a = await LiveYard.create(`${NAME}-a`);
      b = await LiveYard.create(`${NAME}-b`, { beside: a });
    });
    afterAll(async () => {
      await b[Symbol.asyncDispose]();
      await a[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    });

    const links = async (yard: LiveYard) => (await run(["ip", "-d", "-n", yard.paths.namespace, "link"])).toString();

    test("says that its master has no address, and by what the host would send", async () => {
      const { failures } = await a.up(lab(1, ""));
      expect(new Set(failures.map(({ subject }) => subjectText(subject)))).toEqual(
        new Set(["network wide", "network apart"]),
      );
      expect(failures.map(({ code }) => code)).toEqual(Array(2).fill("network.underlay-unaddressed"));
      expect(failures[0]?.message).toContain("vxbackend");
    });

    test("joins nodes and containers of two hosts over a multicast group, with TCP, and keeps other numbers apart", async () => {
      expect((await a.up(lab(1))).failures).toEqual([]);
      expect((await b.up(lab(2))).failures).toEqual([]);
      const [near, far] = [`tva${process.pid}`, `tvb${process.pid}`];
      await run([
        "ip",
        "-n",
        a.paths.namespace,
        "link",
        "add",
        near,
        "up",
        "type",
        "veth",
        "peer",
        "name",
        far,
        "netns",
        b.paths.namespace,
      ]);
      await run(["ip", "-n", b.paths.namespace, "link", "set", far, "up"]);
      await vsctl(a, "add-port", "_b_backplane", near);
      await vsctl(b, "add-port", "_b_backplane", far);
      expect(await a.comesToReach("n", "10.91.7.2")).toBe(true);
      await expectBulkBetween(a, "n", "n", "10.91.7.2", b);
      await expectBulkBetween(b, "c", "c", "10.91.7.11", a);
      const whole = ["ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1422", "10.91.7.2"] as const;
      expect((await a.in("n", ...whole)).code).toBe(0);
      expect(await a.reaches("x", "10.91.7.22")).toBe(true);
      expect(await a.reaches("x", "10.91.7.2")).toBe(false);
      expect(await links(a)).toMatch(
        /vtep700: .* mtu 1450 [\s\S]*vxlan id 700 group 239\.0\.0\.3 dev vxbackend .* dstport 8472/,
      );
      expect(await a.plan(lab(1))).toEqual([]);
    });

    test("is put right when its device or its address is taken away, or changed", async () => {
      const ip = (...argv: string[]) => run(["ip", "-n", a.paths.namespace, ...argv]);
      await ip("link", "delete", "vtep700");
      expect((await a.up(lab(1))).failures).toEqual([]);
      expect(await a.comesToReach("n", "10.91.7.2")).toBe(true);
      await ip("address", "flush", "dev", "vxbackend");
      await ip("link", "set", "vtep700", "down");
      expect((await a.up(lab(1))).failures).toEqual([]);
      expect(await a.comesToReach("n", "10.91.7.2")).toBe(true);
      await vsctl(a, "del-br", "vxbackend");
      expect((await a.up(lab(1))).failures).toEqual([]);
      expect(await a.comesToReach("n", "10.91.7.2")).toBe(true);
      expect(await a.plan(lab(1))).toEqual([]);
    });

    test("takes its device and address with it, and leaves a bridge that is another's", async () => {
      await vsctl(a, "add-br", "other", "--", "set", "Bridge", "other", "datapath_type=netdev");
      const elsewhere = lab(1).replace("id: 700,", "id: 700, master: other,");
      expect((await a.up(elsewhere)).failures.map(({ subject }) => subject)).toEqual([
        { kind: "network", network: "apart" },
      ]);
      expect(await links(a)).toMatch(/vtep700: [\s\S]*dev other /);
      expect((await a.up("name: groups\nnodes: {}\n")).failures).toEqual([]);
      expect(await links(a)).not.toContain("vtep");
      expect(await run(["ip", "-n", a.paths.namespace, "-4", "address"])).not.toContain("10.91.");
      expect(await vsctl(a, "list-br")).toBe("other\n");
    });
  },
);
