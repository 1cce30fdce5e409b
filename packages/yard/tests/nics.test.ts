import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hostname } from "node:os";
import { parseMac, run, tryRun } from "@switchyard/base";
import { endProcess, identify } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { nodeNamespace, stopYard } from "../src/agent/mod.ts";
import { formatPassed } from "../src/agent/passthrough.ts";
import { readBridge } from "../src/model/mod.ts";
import { createBridge, deleteBridge } from "../src/store/mod.ts";
import { LiveYard } from "./live.ts";
import { expectBulkBetween, expectBulkTo } from "./tcp.ts";

setDefaultTimeout(60_000);

const NAME = `tnic${process.pid}`;
const [FIRST, SECOND] = [`tn${process.pid}a`, `tn${process.pid}b`];
/** A bridge that is not the yard's. */
const OTHER = `tn${process.pid}x`;
/** Behind both NICs, as somebody else on their segments: 10.87.1.254 and 10.87.2.254. */
const OUT = `${NAME}-out`;
const able = requires("root", "openvswitch", "runc", "iproute2", "ping", "iperf3", "busybox");

/** A link of the host, as one would notice that it has changed. */
async function linkOf(name: string): Promise<string> {
  const { code, stdout } = await tryRun(["ip", "-o", "link", "show", name]);
  if (code !== 0) return "";
  const [, flags = "", mtu = ""] = /<(\S+)> mtu (\d+)/.exec(stdout) ?? [];
  const [, mac = ""] = /link\/ether (\S+)/.exec(stdout) ?? [];
  const [, alias = ""] = /alias (.*?)\s*$/.exec(stdout.replaceAll("\\", " ")) ?? [];
  return [flags.split(",").includes("UP") ? "up" : "down", mtu, mac, alias].join(" ");
}

describe.skipIf(!able)("nics that are no ports of the switch", () => {
  let before: Machine;
  let yard: LiveYard;
  const macOf = async (node: string, nic = "eth0") =>
    /link\/ether (\S+)/.exec((await yard.in(node, "ip", "link", "show", nic)).stdout)?.[1];
  const killAgent = async () => {
    const agent = identify(await yard.agentPid());
    if (agent) await endProcess(agent, 0);
  };

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
    await run(["ip", "netns", "add", OUT]);
    for (const [n, nic] of [FIRST, SECOND].entries()) {
      await run(["ip", "link", "add", nic, "type", "veth", "peer", "name", `out${n}`, "netns", OUT]);
      await run(["ip", "link", "set", nic, "up", "mtu", "1400", "alias", "cable 7"]);
      await run(["ip", "-n", OUT, "address", "add", `10.87.${n + 1}.254/24`, "dev", `out${n}`]);
      await run(["ip", "-n", OUT, "link", "set", `out${n}`, "up", "mtu", "1400"]);
    }
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await run(["ip", "netns", "delete", OUT]);
    await tryRun(["ip", "link", "delete", OTHER]);
    await expectSameMachine(before, { ours: new RegExp(`${NAME}|tn${process.pid}`) });
  });

  const macvlans = `
name: outside
networks:
  street: { type: macvlan, parent: ${FIRST}, cidr: 10.87.1.0/24 }
nodes:
  a: { kind: netns, nics: [street] }
  b: { kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [ { network: street, mac: "02:00:00:87:00:02" } ] }
`;

  test("macvlans of one NIC have the same name and MACs of their own, and reach each other and the segment", async () => {
    expect((await yard.up(macvlans)).failures).toEqual([]);
    expect(await macOf("b")).toBe("02:00:00:87:00:02");
    expect(await macOf("a")).toMatch(/^02:/);
    await expectBulkBetween(yard, "a", "b", "10.87.1.2");
    await expectBulkTo(yard, "b", OUT, "10.87.1.254");
    expect(await yard.plan(macvlans)).toEqual([]);
    const states = await yard.until(({ nodes }) => nodes.flatMap(({ nics }) => nics.map(({ status }) => status.state)));
    expect(states).toEqual(["up", "up"]);
  });

  test("one that somebody took away comes again, with its addresses, also while no agent runs", async () => {
    const since = yard.logLength();
    await run(["ip", "-n", nodeNamespace(NAME, "a"), "link", "delete", "eth0"]);
    await yard.putRight(macvlans, since);
    await killAgent();
    await run(["ip", "-n", nodeNamespace(NAME, "b"), "address", "flush", "dev", "eth0"]);
    expect((await yard.up(macvlans)).failures).toEqual([]);
    expect(await yard.reaches("a", "10.87.1.2")).toBe(true);
  });

  const passed = (more = "") => `
name: outside
networks:
  cable: { type: passthrough, parent: ${SECOND} }
nodes:
  p: { kind: netns, nics: [ { network: cable, name: wan, ip: 10.87.2.1/24, gateway: 10.87.2.254${more} } ] }
`;

  test("a NIC goes into its node with its MAC, or the one that is asked for, and comes back as it was", async () => {
    const was = await linkOf(SECOND);
    expect(was).toContain("up 1400 ");
    expect((await yard.up(passed())).failures).toEqual([]);
    expect(await linkOf(SECOND)).toBe("");
    expect(was).toContain((await macOf("p", "wan")) ?? "none");
    // That is what is told of it, not what the store would have chosen.
    const told = await yard.until(({ nodes }) => nodes[0]?.nics[0]?.status.mac);
    expect(was).toContain(told);
    await expectBulkTo(yard, "p", OUT, "10.87.2.254");
    expect(await yard.plan(passed())).toEqual([]);
    const other = passed(', mac: "02:00:00:87:00:03", mtu: 1300');
    expect((await yard.up(other)).failures).toEqual([]);
    expect(await macOf("p", "wan")).toBe("02:00:00:87:00:03");
    expect(await yard.comesToReach("p", "10.87.2.254")).toBe(true);
    expect((await yard.up("name: outside\nnodes: {}\n")).failures).toEqual([]);
    expect(await linkOf(SECOND)).toBe(was);
  });

  test("it comes back also where the agent was killed, the namespace has gone, or no yard is left", async () => {
    await run(["ip", "link", "set", SECOND, "down"]);
    const was = await linkOf(SECOND);
    expect(was).toContain("down");
    expect((await yard.up(passed(', mac: "02:00:00:87:00:04"'))).failures).toEqual([]);
    // As the kernel does with a NIC whose namespace dies: it is on the host again, as it was in there.
    await killAgent();
    const there = nodeNamespace(NAME, "p");
    await run(["ip", "-n", there, "link", "set", "wan", "netns", String(process.pid)]);
    await run(["ip", "netns", "delete", there]);
    expect(await linkOf("wan")).toContain("02:00:00:87:00:04");
    expect((await yard.up(passed())).failures).toEqual([]);
    expect(was).toContain((await macOf("p", "wan")) ?? "none");
    await killAgent();
    await stopYard(NAME);
    expect(await linkOf(SECOND)).toBe(was);
    await run(["ip", "link", "set", SECOND, "up"]);
  });

  test("it gets its place back where an agent died as it was taken, and its name once nobody else has it", async () => {
    const was = await linkOf(SECOND);
    const [, mtu = "", mac = "", ...alias] = was.split(" ");
    const half = {
      link: "_k_1_0",
      name: SECOND,
      mac: parseMac(mac),
      mtu: Number(mtu),
      up: true,
      alias: alias.join(" "),
    };
    await run(["ip", "link", "set", SECOND, "alias", formatPassed(NAME, half), "down"]);
    expect((await yard.up(passed())).failures).toEqual([]);
    expect(await yard.comesToReach("p", "10.87.2.254")).toBe(true);
    // Somebody takes the name meanwhile.
    await run(["ip", "link", "add", SECOND, "type", "veth", "peer", "name", `${SECOND}x`]);
    const { failures } = await yard.up("name: outside\nnodes: {}\n");
    expect(failures).toMatchObject([{ code: "nic.name-lost", subject: { kind: "yard" } }]);
    const since = yard.logLength();
    await run(["ip", "link", "delete", SECOND]);
    await yard.logged(/"actions":[1-9]\d*,"failures":0/, since);
    expect(await linkOf(SECOND)).toBe(was);
  });

  test("a NIC that is in use, absent or another node's already is refused, and not touched", async () => {
    const code = async (lab: string) => {
      const outcome = await yard.up(lab).catch((error) => ({ failures: [error] }));
      return outcome.failures.map((failure) => failure.code);
    };
    const twice = passed().replace("  p:", "  q: { kind: netns, nics: [cable] }\n  p:");
    expect(await code(twice)).toEqual(["nic.passthrough-taken"]);
    expect(await code(passed().replace(SECOND, "tn-absent"))).toEqual(["nic.parent-absent"]);
    await run(["ip", "address", "add", "10.87.2.9/24", "dev", SECOND]);
    const was = await linkOf(SECOND);
    expect(await code(passed())).toEqual(["nic.parent-in-use"]);
    expect(await linkOf(SECOND)).toBe(was);
    await run(["ip", "address", "flush", "dev", SECOND]);
    // What kept it is gone: it is tried again.
    await yard.until(({ nodes }) => nodes.every(({ nics }) => nics.every(({ status }) => status.state === "up")));
    expect(await yard.reaches("p", "10.87.2.254")).toBe(true);
    expect((await yard.up("name: outside\nnodes: {}\n")).failures).toEqual([]);
  });

  test("nodes are on bridges of the kernel's own, those of the yard and those of others, and move between them", async () => {
    const [own, other] = [`tn${process.pid}o`, OTHER];
    await run(["ip", "link", "add", other, "up", "type", "bridge"]);
    await run(["ip", "address", "add", "10.87.4.254/24", "dev", other]);
    {
      await using _agent = await yard.agent();
      await using store = await yard.store();
      const spec = readBridge({ name: own, mode: "static", cidr: "10.87.3.254/24" });
      const { cfg } = await createBridge(store, spec, { yard: NAME, host: hostname() });
      expect((await yard.settled(cfg)).failures).toEqual([]);
    }
    const lab = (on: string) => `
name: bridged
networks:
  ours: { type: bridge, bridge: ${own}, cidr: 10.87.3.0/24 }
  theirs: { type: bridge, bridge: ${other}, cidr: 10.87.4.0/24 }
nodes:
  a: { kind: netns, nics: [ours] }
  b: { kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [${on}] }
`;
    expect((await yard.up(lab("ours"))).failures).toEqual([]);
    await expectBulkBetween(yard, "a", "b", "10.87.3.2");
    expect(await yard.reaches("b", "10.87.3.254")).toBe(true);
    const life = await yard.identity("b");
    expect((await yard.up(lab("theirs"))).failures).toEqual([]);
    expect(await yard.identity("b")).toBe(life);
    expect(await yard.reaches("b", "10.87.4.254")).toBe(true);
    expect(await yard.reaches("a", "10.87.3.2")).toBe(false);
    expect(await yard.plan(lab("theirs"))).toEqual([]);
    {
      await using store = await yard.store();
      await expect(deleteBridge(store, own)).rejects.toMatchObject({ code: "bridge.in-use" });
      const { failures } = await yard.up(lab("{ network: theirs, vlan: 5 }"));
      expect(failures).toMatchObject([{ code: "nic.no-port", subject: { kind: "nic", node: "b" } }]);
      expect((await yard.up("name: bridged\nnodes: {}\n")).failures).toEqual([]);
      const { cfg } = await deleteBridge(store, own);
      expect((await yard.settled(cfg)).failures).toEqual([]);
    }
    expect(await run(["ip", "-o", "link", "show", "master", other])).toBe("");
  });
});
