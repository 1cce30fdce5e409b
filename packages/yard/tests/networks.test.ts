import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { LiveYard } from "./live.ts";
import { expectBulkBetween } from "./tcp.ts";

setDefaultTimeout(90_000);

const NAME = `tnet${process.pid}`;
const ours = { ours: new RegExp(NAME) };

/** Runs ovs-vsctl(8) on a yard's own switch. */
function vsctl(yard: LiveYard, ...argv: string[]): Promise<string> {
  return run(["ovs-vsctl", "--timeout=10", `--db=unix:${yard.paths.databaseSocket}`, ...argv]);
}

describe.skipIf(!requires("root", "openvswitch", "runc", "iperf3", "ping"))("a network of type vlan", () => {
  let before: Machine;
  let yard: LiveYard;

  const lab = (master: string) => `
name: vlans
networks:
  trunk: {}
  office: { type: vlan, id: 100, master: trunk, cidr: 10.82.1.0/24, gateway: 10.82.1.254 }
  plant: { type: vlan, id: 2313, master: ${master}, bridge: vxbackend }
nodes:
  a: { kind: netns, nics: [office] }
  b: { kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [office] }
  tagged: { kind: netns, nics: [ { network: trunk, ip: 10.82.1.3/24, vlan: 100 } ] }
  other: { kind: netns, nics: [ { network: trunk, ip: 10.82.1.4/24, vlan: 101 }, { network: plant, ip: 10.82.2.1/24 } ] }
`;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, ours);
  });

  test("joins nodes, containers, the host and whoever is in that VLAN of the master, and nobody else", async () => {
    expect((await yard.up(lab("trunk"))).failures).toEqual([]);
    await expectBulkBetween(yard, "a", "b", "10.82.1.2");
    await expectBulkBetween(yard, "tagged", "b", "10.82.1.2");
    expect(await yard.reaches("tagged", "10.82.1.254")).toBe(true);
    expect(await yard.reaches("other", "10.82.1.1")).toBe(false);
    expect(await vsctl(yard, "get", "Port", "vlbr100p", "tag")).toBe("100\n");
    expect(await vsctl(yard, "port-to-br", "vlbr100in")).toBe("vlbr100\n");
    expect(await vsctl(yard, "port-to-br", "vlbr2313in")).toBe("vxbackend\n");
    expect(await yard.plan(lab("trunk"))).toEqual([]);
  });

  test("comes again when somebody takes half of it away", async () => {
    await vsctl(yard, "del-port", "vlbr100p", "--", "set", "Interface", "vlbr2313in", "options:peer=nonsense");
    expect((await yard.up(lab("trunk"))).failures).toEqual([]);
    expect(await yard.comesToReach("tagged", "10.82.1.1")).toBe(true);
    await vsctl(yard, "del-br", "vlbr100");
    expect((await yard.up(lab("trunk"))).failures).toEqual([]);
    expect(await yard.comesToReach("tagged", "10.82.1.1")).toBe(true);
    expect(await yard.plan(lab("trunk"))).toEqual([]);
  });

  test("tells that its master is missing, and is made once that is there", async () => {
    const { failures } = await yard.up(lab("backplane"));
    expect(failures).toMatchObject([
      {
        subject: { kind: "network", network: "plant" },
        code: "switch.no-bridge",
        hint: expect.stringContaining("bridge-add"),
      },
    ]);
    await vsctl(yard, "add-br", "backplane", "--", "set", "Bridge", "backplane", "datapath_type=netdev");
    await yard.until(({ networks }) => networks.every(({ status }) => status.state === "up"));
    expect((await yard.up(lab("backplane"))).failures).toEqual([]);
    expect(await vsctl(yard, "port-to-br", "vlbr2313p")).toBe("backplane\n");
  });

  test("takes with it all that it was, and leaves its master", async () => {
    expect((await yard.up("name: vlans\nnodes: {}\n")).failures).toEqual([]);
    expect(await vsctl(yard, "list-br")).toBe("backplane\n");
    expect(await vsctl(yard, "list-ports", "backplane")).toBe("");
  });
});
