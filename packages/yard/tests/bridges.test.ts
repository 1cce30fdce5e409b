import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { hostname } from "node:os";
import { parseIp, parseMac, run, tryRun } from "@switchyard/base";
import { endProcess, identify } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { stopYard } from "../src/agent/mod.ts";
import { type BridgeFile, readBridge } from "../src/model/mod.ts";
import {
  addBridgeHost,
  addBridgeNic,
  type Commanded,
  createBridge,
  deleteBridge,
  removeBridgeNic,
  type Store,
} from "../src/store/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const NAME = `tbri${process.pid}`;
const able = requires("root", "openvswitch", "iproute2", "ping", "busybox", "dnsmasq", "nftables");

describe.skipIf(!able)("bridges of the kernel's own", () => {
  let before: Machine;
  let yard: LiveYard;
  /** Somebody behind a NIC of the host each: `h1` in namespace `a`, `h2` in `b`. */
  const ends = [1, 2, 3].map((n) => ({ nic: `tb${process.pid}h${n}`, namespace: `${NAME}-end${n}` }));
  const [one, two, three] = ends;
  const office = {
    name: `tb${process.pid}o`,
    mode: "dnsmasq",
    cidr: "10.86.1.1/24",
    start: "10.86.1.10",
    end: "10.86.1.20",
  };
  const plant = { name: `tb${process.pid}p`, mode: "static", cidr: "10.86.2.1/24" };

  /** A command, and what the agent makes of it. */
  const command = async (write: (store: Store) => Promise<Commanded>) => {
    await using _agent = await yard.agent();
    await using store = await yard.store();
    const { cfg } = await write(store);
    return (await yard.settled(cfg)).failures;
  };
  const create = (file: BridgeFile) =>
    command((store) => createBridge(store, readBridge(file), { yard: NAME, host: hostname() }));
  const inside = (end: (typeof ends)[number] | undefined, ...argv: readonly string[]) =>
    tryRun(["ip", "netns", "exec", end?.namespace ?? "", ...argv]);
  const pings = async (end: (typeof ends)[number] | undefined, to: string) =>
    (await inside(end, "ping", "-c1", "-W1", to)).code === 0;
  const lease = async (end: (typeof ends)[number] | undefined) => {
    const { stderr } = await inside(end, "busybox", "udhcpc", "-n", "-q", "-t", "5", "-i", "eth0", "-s", "/bin/true");
    const ip = /lease of (\S+) obtained/.exec(stderr)?.[1] ?? "none";
    await inside(end, "ip", "address", "replace", `${ip}/24`, "dev", "eth0");
    return ip;
  };

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
    chmodSync(yard.folder, 0o711);
    for (const { nic, namespace } of ends) {
      await run(["ip", "netns", "add", namespace]);
      await run(["ip", "link", "add", nic, "up", "type", "veth", "peer", "name", "eth0", "netns", namespace]);
      await run(["ip", "link", "set", nic, "alias", "of mine"]);
      await run(["ip", "-n", namespace, "link", "set", "eth0", "up"]);
    }
  });
  afterAll(async () => {
    for (const { namespace } of ends) await run(["ip", "netns", "delete", namespace]);
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${NAME}|tb${process.pid}`) });
  });

  test("are made, and refused a second time, under a name or with a subnet that the host has", async () => {
    expect(await create(office)).toEqual([]);
    expect(await create(plant)).toEqual([]);
    expect((await run(["ip", "-o", "-d", "link", "show", office.name])).split(" ")).toContain("bridge");
    expect(await run(["ip", "-o", "-4", "address", "show", "dev", office.name])).toContain("10.86.1.1/24");
    const refused = (file: BridgeFile, code: string) => expect(create(file)).rejects.toMatchObject({ code });
    await refused(office, "bridge.name-taken");
    await refused({ name: "lo" }, "bridge.bad-name");
    await refused({ name: one?.nic ?? "" }, "bridge.name-taken");
    await refused({ ...plant, name: "tbother", cidr: "10.86.1.129/25" }, "bridge.overlaps-host");
  });

  test("lease addresses in their range to whoever is behind a NIC, the pinned one where one is pinned", async () => {
    for (const end of [one, two]) {
      expect(await command((store) => addBridgeNic(store, office.name, end?.nic ?? ""))).toEqual([]);
    }
    const first = await lease(one);
    expect(first).toMatch(/^10\.86\.1\.1\d$|^10\.86\.1\.20$/);
    await inside(two, "ip", "link", "set", "eth0", "address", "02:00:00:86:00:01");
    const mac = parseMac("02:00:00:86:00:01");
    expect(await command((store) => addBridgeHost(store, office.name, parseIp("10.86.1.77"), mac))).toEqual([]);
    expect(await lease(two)).toBe("10.86.1.77");
    expect(await pings(one, "10.86.1.77")).toBe(true);
    expect(await pings(two, "10.86.1.1")).toBe(true);
    const again = command((store) => addBridgeHost(store, office.name, parseIp("10.86.1.78"), mac));
    await expect(again).rejects.toMatchObject({ code: "bridge.host-taken" });
  });

  test("are apart at layer 3, even where the host forwards and both know the way", async () => {
    expect(await command((store) => addBridgeNic(store, plant.name, three?.nic ?? ""))).toEqual([]);
    await inside(three, "ip", "address", "add", "10.86.2.5/24", "dev", "eth0");
    await inside(three, "ip", "route", "add", "default", "via", "10.86.2.1");
    await inside(two, "ip", "route", "add", "default", "via", "10.86.1.1");
    const forwarding = `net.ipv4.conf.${office.name}.forwarding=1`;
    await run(["sysctl", "-qw", forwarding, `net.ipv4.conf.${plant.name}.forwarding=1`]);
    expect(await pings(three, "10.86.2.1")).toBe(true);
    expect(await pings(two, "10.86.2.5")).toBe(false);
    // It is the rules that keep them apart.
    const tables = (await run(["nft", "list", "tables"])).split("\n").filter((line) => line.includes(NAME));
    expect(tables).toHaveLength(2);
    for (const line of tables) await run(["nft", "delete", ...line.split(" ")]);
    expect(await pings(two, "10.86.2.5")).toBe(true);
    expect((await yard.up("name: none\n")).failures).toEqual([]);
    expect(await pings(two, "10.86.2.5")).toBe(false);
  });

  test("hide what is on them behind the host's address, where they are told to, and else do not", async () => {
    const world = `${NAME}-world`;
    const name = `tb${process.pid}n`;
    await run(["ip", "netns", "add", world]);
    await run(["ip", "link", "add", `tb${process.pid}w`, "up", "type", "veth", "peer", "name", "eth0", "netns", world]);
    await run(["ip", "address", "add", "198.51.100.1/24", "dev", `tb${process.pid}w`]);
    await run(["sysctl", "-qw", `net.ipv4.conf.tb${process.pid}w.forwarding=1`]);
    await run(["ip", "-n", world, "address", "add", "198.51.100.2/24", "dev", "eth0"]);
    await run(["ip", "-n", world, "link", "set", "eth0", "up"]);
    const lab = `
name: hidden
networks: { n: { type: bridge, bridge: ${name}, cidr: 10.86.4.0/24, gateway: 10.86.4.1 } }
nodes: { a: { kind: netns, nics: [ { network: n, ip: 10.86.4.5 } ] } }
`;
    const file = { name, mode: "static", cidr: "10.86.4.1/24" };
    for (const nat of [true, false]) {
      expect(await create({ ...file, nat })).toEqual([]);
      // Whether the host passes it on is not what is tried here.
      await run(["sysctl", "-qw", `net.ipv4.conf.${name}.forwarding=1`]);
      expect((await yard.up(lab)).failures).toEqual([]);
      expect(await yard.reaches("a", "10.86.4.1")).toBe(true);
      expect(await yard.reaches("a", "198.51.100.2")).toBe(nat);
      expect((await yard.up("name: hidden\n")).failures).toEqual([]);
      expect(await command((store) => deleteBridge(store, name))).toEqual([]);
    }
    expect(await run(["nft", "list", "ruleset"])).not.toContain("10.86.4.0/24");
    await run(["ip", "netns", "delete", world]);
  });

  test("refuse a NIC that is taken, absent, or that the host has an address on, and touch it not", async () => {
    const code = async (bridge: string, nic: string) => {
      const failures = await command((store) => addBridgeNic(store, bridge, nic)).catch((error) => [error]);
      if (failures.length > 0 && !(failures[0] instanceof Error))
        await command((store) => removeBridgeNic(store, bridge, nic));
      return failures[0]?.code;
    };
    expect(await code(plant.name, one?.nic ?? "")).toBe("bridge.nic-taken");
    expect(await code(plant.name, "tb-absent")).toBe("bridge.nic-absent");
    expect(await code(plant.name, "lo")).toBe("bridge.nic-in-use");
    const removed = command((store) => removeBridgeNic(store, plant.name, "tb-absent"));
    await expect(removed).rejects.toMatchObject({ code: "bridge.nic-unknown" });
  });

  test("come back with all that was theirs after they and the agent were killed", async () => {
    const agent = identify(await yard.agentPid());
    if (agent) await endProcess(agent, 0);
    await run(["ip", "link", "delete", office.name]);
    const flushed = (await run(["nft", "list", "tables"])).split("\n").filter((line) => line.includes(NAME));
    await run(["nft", "flush", "table", "inet", flushed[0]?.replace("table inet ", "") ?? ""]);
    await using _agent = await yard.agent();
    expect((await yard.up("name: none\n")).failures).toEqual([]);
    expect(await pings(two, "10.86.1.1")).toBe(true);
    expect(await lease(two)).toBe("10.86.1.77");
    expect(await yard.plan("name: none\n")).toEqual([]);
  });

  test("give their NICs back as they were, with all that they were, when they or the yard go", async () => {
    expect(await command((store) => removeBridgeNic(store, office.name, one?.nic ?? ""))).toEqual([]);
    const link = async (nic = "") => await run(["ip", "-o", "link", "show", nic]);
    expect(await link(one?.nic)).toContain("alias of mine");
    expect(await link(one?.nic)).not.toContain("master");
    expect(await command((store) => deleteBridge(store, office.name))).toEqual([]);
    expect(await link(two?.nic)).toContain("alias of mine");
    await expect(command((store) => deleteBridge(store, office.name))).rejects.toMatchObject({
      code: "bridge.unknown",
    });
    expect((await run(["nft", "list", "tables"])).split("\n").filter((line) => line.includes(NAME))).toHaveLength(1);
    const agent = identify(await yard.agentPid());
    if (agent) await endProcess(agent, 0);
    await stopYard(NAME);
    expect(await link(three?.nic)).toContain("alias of mine");
    expect(await link(three?.nic)).not.toContain("master");
    expect((await tryRun(["ip", "link", "show", plant.name])).code).not.toBe(0);
  });
});
