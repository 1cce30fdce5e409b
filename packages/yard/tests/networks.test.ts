import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { parseIp, run, tryRun } from "@switchyard/base";
import { endProcess, identify } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { tunnelName } from "@switchyard/vswitch";
import { stopYard } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";
import { expectBulkBetween, expectBulkTo, leavesOffloads } from "./tcp.ts";

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

describe.skipIf(!requires("root", "openvswitch", "runc", "iperf3", "ping", "iproute2"))(
  "a network of type vxlan",
  () => {
    const lab = (own: number, peer: number) => `
name: tunnels
networks:
  underlay: {}
  wide: { type: vxlan, id: 700, peers: 10.83.0.${peer}, cidr: 10.83.7.0/24 }
  office: { type: vlan, id: 30, master: wide }
  apart: { type: vxlan, id: 701, peers: [10.83.0.${peer}] }
nodes:
  n: { kind: netns, nics: [ { network: wide, ip: 10.83.7.${own} }, { network: office, ip: 10.83.8.${own}/24 } ] }
  c: { kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [ { network: wide, ip: 10.83.7.${own + 10} } ] }
  x: { kind: netns, nics: [ { network: apart, ip: 10.83.7.${own + 20}/24 } ] }
`;

    test("joins nodes and containers of two hosts over tunnels, with TCP, and keeps other numbers apart", async () => {
      const before = await snapshotMachine();
      {
        await using a = await LiveYard.create(`${NAME}-a`);
        await using b = await LiveYard.create(`${NAME}-b`, { beside: a });
        for (const [yard, own, peer] of [
          [a, 1, 2],
          [b, 2, 1],
        ] as const)
          expect((await yard.up(lab(own, peer))).failures).toEqual([]);
        await joinUnderlays(a, b);
        // The switch drops what it has for a peer whose MAC it does not know yet.
        expect(await a.comesToReach("n", "10.83.7.2")).toBe(true);

        await expectBulkBetween(a, "n", "n", "10.83.7.2", b);
        await expectBulkBetween(b, "c", "c", "10.83.7.11", a);
        await expectBulkBetween(a, "n", "n", "10.83.8.2", b);
        expect((await a.in("n", "ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1422", "10.83.7.2")).code).toBe(0);
        expect(await a.reaches("x", "10.83.7.22")).toBe(true);
        expect(await a.reaches("x", "10.83.7.2")).toBe(false);
        expect(await leavesOffloads(a, "n", "eth0")).toEqual(["off", "off"]);
        expect(
          await vsctl(a, "--columns=protected", "--bare", "list", "Port", tunnelName(700, parseIp("10.83.0.2"))),
        ).toBe("true\n");
        expect(await a.plan(lab(1, 2))).toEqual([]);

        // Another peer: the first is no longer one.
        expect((await a.up(lab(1, 3))).failures).toEqual([]);
        expect(await a.reaches("n", "10.83.7.2")).toBe(false);
      }
      await expectSameMachine(before, ours);
    });
  },
);

/** Puts the yards' bridges `underlay` on one wire, with the addresses 10.83.0.1 and 10.83.0.2. */
async function joinUnderlays(a: LiveYard, b: LiveYard): Promise<void> {
  const near = `ta${process.pid}`.slice(0, 15);
  const far = `tb${process.pid}`.slice(0, 15);
  const [inA, inB] = [a.paths.namespace, b.paths.namespace];
  await run(["ip", "-n", inA, "link", "add", near, "up", "type", "veth", "peer", "name", far, "netns", inB]);
  for (const [yard, port, address] of [
    [a, near, "10.83.0.1/24"],
    [b, far, "10.83.0.2/24"],
  ] as const) {
    const { namespace } = yard.paths;
    await run(["ip", "-n", namespace, "link", "set", port, "up"]);
    await vsctl(yard, "add-port", "_b_underlay", port);
    await run(["ip", "-n", namespace, "address", "add", address, "dev", "_b_underlay"]);
    await run(["ip", "-n", namespace, "link", "set", "_b_underlay", "up"]);
  }
}

describe.skipIf(
  !requires("root", "openvswitch", "runc", "iperf3", "ping", "nftables", "dnsmasq", "busybox", "iproute2"),
)("a network of type nat", () => {
  let before: Machine;
  let yard: LiveYard;
  const world = `${NAME}-world`;
  const dnsmasqs = async () =>
    [...(await run(["ps", "-eo", "pid,args"])).matchAll(/^ *(\d+) dnsmasq --keep.*$/gm)].flatMap(([line, pid]) =>
      line.includes(`/${NAME}.dnsmasq/`) ? [Number(pid)] : [],
    );
  const device = `tw${process.pid}`;
  const lab = `
name: homes
networks:
  home: { type: nat, cidr: 10.84.1.0/24 }
nodes:
  a: { kind: netns, nics: [home] }
  c: { kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [default] }
`;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
    // As /run is: dnsmasq reads its files as nobody.
    chmodSync(yard.folder, 0o711);
    // Somebody beyond the host, who knows nothing of the yard's addresses.
    await run(["ip", "netns", "add", world]);
    await run(["ip", "link", "add", device, "up", "type", "veth", "peer", "name", "eth0", "netns", world]);
    await run(["ip", "address", "add", "203.0.113.1/24", "dev", device]);
    await run(["ip", "-n", world, "address", "add", "203.0.113.2/24", "dev", "eth0"]);
    await run(["ip", "-n", world, "link", "set", "eth0", "up"]);
  });
  afterAll(async () => {
    await tryRun(["ip", "link", "delete", device]);
    await tryRun(["ip", "netns", "delete", world]);
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, ours);
  });

  test("lets nodes and containers reach the world with the host's address, also the network that nobody declares", async () => {
    expect((await yard.up(lab)).failures).toEqual([]);
    await expectBulkTo(yard, "a", world, "203.0.113.2");
    await expectBulkTo(yard, "c", world, "203.0.113.2");
    const chosen = await yard.until(({ networks }) => networks.find(({ name }) => name === "default"));
    expect(chosen).toMatchObject({ type: "nat", lab: undefined, status: { state: "up" } });
    expect(await run(["nft", "list", "ruleset"])).toContain(`ip saddr ${chosen.cidr[0]} oifname`);
    expect((await tryRun(["ip", "netns", "exec", world, "ping", "-c", "1", "-W", "1", "10.84.1.2"])).code).not.toBe(0);
    expect(await yard.plan(lab)).toEqual([]);
  });

  test("resolves the nodes' names and gives a nic the address that is its own, and says nothing elsewhere", async () => {
    const asked = await yard.in("a", "busybox", "nslookup", "a", "10.84.1.1");
    expect(asked.stdout).toContain("10.84.1.2");
    expect(await yard.in("a", "cat", "/etc/resolv.conf")).toMatchObject({ stdout: "nameserver 10.84.1.1\n" });
    const got = await yard.in("a", "busybox", "udhcpc", "-n", "-q", "-t", "3", "-i", "eth0", "-s", "/bin/true");
    expect(got.stderr).toContain("10.84.1.2");
    const outside = ["ip", "netns", "exec", world, "busybox", "nslookup", "a", "203.0.113.1"] as const;
    expect((await tryRun([...outside])).stdout).not.toContain("10.84.1.2");
    const more = lab.replace("  c:", "  b: { kind: netns, nics: [home] }\n  c:");
    expect((await yard.up(more)).failures).toEqual([]);
    expect((await yard.in("a", "busybox", "nslookup", "b", "10.84.1.1")).stdout).toContain("10.84.1.3");
    const [services] = [await run(["ps", "-eo", "user,args"])];
    const ownServices = services.split("\n").filter((line) => line.includes(NAME) && line.includes("dnsmasq --keep"));
    expect(ownServices.map((line) => line.split(" ")[0])).toEqual(["nobody", "nobody"]);
  });

  test("is put right when its rules are changed, or gone with its link", async () => {
    const tables = (await run(["nft", "list", "tables"])).split("\n").filter((line) => line.includes(NAME));
    const names = tables.map((line) => line.replace("table inet ", ""));
    expect(names).toHaveLength(2);
    for (const name of names) await run(["nft", "flush", "table", "inet", name]);
    expect((await yard.up(lab)).failures).toEqual([]);
    expect(await yard.comesToReach("a", "203.0.113.2")).toBe(true);
    for (const name of names) await run(["ip", "link", "delete", name.slice(-13)]);
    expect((await yard.up(lab)).failures).toEqual([]);
    expect(await yard.comesToReach("c", "203.0.113.2")).toBe(true);
    expect(await yard.plan(lab)).toEqual([]);
  });

  test("comes back after its dnsmasq and the agent were killed, and goes without an agent", async () => {
    const agent = identify(await yard.agentPid());
    if (agent) await endProcess(agent, 0);
    for (const pid of await dnsmasqs()) process.kill(pid, "SIGKILL");
    expect((await yard.up(lab)).failures).toEqual([]);
    expect(await yard.plan(lab)).toEqual([]);
    expect(await dnsmasqs()).toHaveLength(2);
    expect((await yard.in("a", "busybox", "nslookup", "a", "10.84.1.1")).stdout).toContain("10.84.1.2");
    const next = identify(await yard.agentPid());
    if (next) await endProcess(next, 0);
    await stopYard(NAME);
    await expectSameMachine(before, { ours: new RegExp(`${NAME}(?!-world)`) });
    expect((await yard.up(lab)).failures).toEqual([]);
  });

  test("is not put on the host where that has such addresses already", async () => {
    await expect(yard.up(lab.replace("10.84.1.0/24", "203.0.0.0/16"))).rejects.toMatchObject({
      code: "network.overlaps-host",
      message: expect.stringContaining(device),
    });
    expect((await yard.up(lab)).failures).toEqual([]);
    // Nor kept there when the host comes to have them.
    await run(["ip", "address", "add", "10.84.1.77/24", "dev", device]);
    expect((await yard.up(lab)).failures).toMatchObject([
      { subject: { kind: "network", network: "home" }, code: "network.overlaps-host" },
    ]);
    expect(await run(["ip", "address", "show"])).not.toContain("10.84.1.1/24");
    await run(["ip", "address", "delete", "10.84.1.77/24", "dev", device]);
    expect((await yard.up(lab)).failures).toEqual([]);
  });

  test("goes with all that it was, the undeclared one with its last node", async () => {
    expect((await yard.up("name: homes\nnodes: {}\n")).failures).toEqual([]);
    expect(await run(["nft", "list", "tables"])).not.toContain(NAME);
    await yard.until(({ networks }) => networks.length === 0);
    expect(await run(["ip", "-o", "link"])).not.toMatch(new RegExp(`switchyard:${NAME}:`));
  });
});

describe.skipIf(!requires("root", "openvswitch", "runc", "iperf3", "ping"))("a network of type bridge", () => {
  const lab = `
name: bridged
networks:
  there: { type: bridge, bridge: shared0, cidr: 10.85.1.0/24, gateway: 10.85.1.254 }
  office: { type: vlan, id: 9, master: there }
nodes:
  a: { kind: netns, nics: [there] }
  b: { kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [there] }
  c: { kind: netns, nics: [ { network: there, ip: 10.85.1.8/24, vlan: 9 } ] }
  d: { kind: netns, nics: [ { network: office, ip: 10.85.1.9/24 } ] }
`;

  test("is an error until somebody makes the bridge, and leaves it as it was", async () => {
    const before = await snapshotMachine();
    {
      await using yard = await LiveYard.create(`${NAME}-bridge`);
      const { failures } = await yard.up(lab);
      expect(failures).toContainEqual(
        expect.objectContaining({ subject: { kind: "network", network: "there" }, code: "network.bridge-absent" }),
      );
      await vsctl(yard, "add-br", "shared0", "--", "set", "Bridge", "shared0", "datapath_type=netdev");
      await yard.until(({ networks }) => networks.every(({ status }) => status.state === "up"));
      expect((await yard.up(lab)).failures).toEqual([]);
      await expectBulkBetween(yard, "a", "b", "10.85.1.2");
      await expectBulkBetween(yard, "c", "d", "10.85.1.9");
      expect(await yard.reaches("b", "10.85.1.254")).toBe(true);
      expect(await yard.plan(lab)).toEqual([]);
      expect((await yard.up("name: bridged\nnodes: {}\n")).failures).toEqual([]);
      expect(await vsctl(yard, "list-br")).toBe("shared0\n");
      expect(await vsctl(yard, "list-ports", "shared0")).toBe("");
    }
    await expectSameMachine(before, ours);
  });
});
