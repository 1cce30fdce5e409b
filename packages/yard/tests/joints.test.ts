import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { LiveYard } from "./live.ts";
import { expectBulkBetween } from "./tcp.ts";
import { joinUnderlays } from "./underlays.ts";

setDefaultTimeout(60_000);

const NAME = `tjnt${process.pid}`;
const ours = { ours: new RegExp(NAME) };
/** An interface's name of the host. */
const TAP = `tj${process.pid}`;

/** Milliseconds that a ping takes at least. */
async function roundTrip(yard: LiveYard, from: string, to: string): Promise<number> {
  const { stdout } = await yard.in(from, "ping", "-c", "5", "-i", "0.1", "-W", "1", to);
  return Number(/= ([\d.]+)\//.exec(stdout)?.[1]);
}

describe.skipIf(!requires("root", "openvswitch", "iperf3", "ping", "iproute2"))("a2b and tap", () => {
  let before: Machine;
  let yard: LiveYard;
  const lab = (impair: string) => `
name: joints
networks: { left: { cidr: 10.96.0.0/24 }, right: {} }
nodes:
  a: { kind: netns, nics: [ { network: left, ip: 10.96.0.1/24 } ] }
  b: { kind: netns, nics: [ { network: right, ip: 10.96.0.2/24 } ] }
  c: { kind: netns, nics: [ { name: eth0, ip: 10.96.1.3/24 } ] }
  d: { kind: netns, nics: [ { name: eth0, ip: 10.96.1.4/24 } ] }
  wan: { kind: a2b, nics: [left, right]${impair} }
  line: { kind: a2b }
  ${TAP}: { kind: tap, nics: [ { network: left, ip: 10.96.0.77/24 } ] }
links:
  - { endpoints: ["c:eth0", "line:a"] }
  - { endpoints: ["line:b", "d:eth0"] }
`;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, ours);
  });

  test("an a2b joins two networks, or two links, with a delay of its own each way", async () => {
    expect((await yard.up(lab(", impair: { delay: 10ms, backward: { delay: 30ms } }"))).failures).toEqual([]);
    expect(await yard.comesToReach("a", "10.96.0.2")).toBe(true);
    expect(await roundTrip(yard, "a", "10.96.0.2")).toBeWithin(40, 50);
    expect(await yard.comesToReach("c", "10.96.1.4")).toBe(true);
    expect((await yard.status("wan"))?.state).toBe("running");
    const vsctl = (...argv: string[]) => run(["ovs-vsctl", `--db=unix:${yard.paths.databaseSocket}`, ...argv]);
    expect(await vsctl("list-ports", "_b_right")).toBe("_k_2_0\n_k_5_1\n");
  });

  test("a tap is an interface of the host, with its address, on the network", async () => {
    expect((await tryRun(["ping", "-c", "1", "-W", "2", "-I", TAP, "10.96.0.1"])).code).toBe(0);
    expect((await tryRun(["ping", "-c", "1", "-W", "2", "10.96.0.2"])).code).toBe(0);
    expect(await run(["ip", "-br", "address", "show", "dev", TAP])).toContain("10.96.0.77/24");
    await expectBulkBetween(yard, "a", "b", "10.96.0.2");
  });

  test("both come again when their devices are taken away, and go with the lab's next version", async () => {
    await run(["ip", "link", "delete", TAP]);
    await run(["ip", "-n", yard.paths.namespace, "link", "delete", "_k_5_1"]);
    expect((await yard.up(lab(", impair: { delay: 1ms }"))).failures).toEqual([]);
    expect(await yard.comesToReach("a", "10.96.0.2")).toBe(true);
    expect((await tryRun(["ping", "-c", "1", "-W", "2", "10.96.0.1"])).code).toBe(0);
    expect(await yard.plan(lab(", impair: { delay: 1ms }"))).toEqual([]);
    expect((await yard.up("name: joints\nnodes: {}\n")).failures).toEqual([]);
    expect(existsSync(`/sys/class/net/${TAP}`)).toBe(false);
    expect(await yard.linksLeft()).toEqual([]);
  });
});

describe.skipIf(!requires("root", "openvswitch", "iperf3", "ping", "iproute2"))("a c2c", () => {
  const lab = (own: string, host: number, other: string, mtu: number) => `
name: ${own}
networks: { lan: { cidr: 10.97.0.0/24, mtu: ${mtu} } }
nodes:
  n: { kind: netns, nics: [ { network: lan, ip: 10.97.0.${host}/24 } ] }
  gate: { kind: c2c, yard: ${other}, nics: [lan] }
`;

  test("joins two yards of one host when both are there, tells when one is not, and is joined again", async () => {
    const before = await snapshotMachine();
    {
      await using a = await LiveYard.create(`${NAME}-a`);
      const [aside, bside] = [lab("one", 1, `${NAME}-b`, 1400), lab("two", 2, `${NAME}-a`, 1300)];
      expect((await a.up(aside)).failures).toEqual([]);
      expect(await a.status("gate")).toMatchObject({ state: "pending", reason: expect.stringContaining("no node") });
      {
        await using b = await LiveYard.create(`${NAME}-b`, { beside: a });
        expect((await b.up(bside)).failures).toEqual([]);
        expect(await a.comesToReach("n", "10.97.0.2")).toBe(true);
        await expectBulkBetween(a, "n", "n", "10.97.0.2", b);
        for (const yard of [a, b]) {
          await yard.until(({ nodes }) => nodes.every(({ status }) => status.state === "running"));
          const link = await run(["ip", "-n", yard.paths.namespace, "-o", "link", "show", "_k_2_0"]);
          expect(link).toContain("mtu 1300");
        }
        expect(await a.plan(aside)).toEqual([]);
        expect(await b.plan(bside)).toEqual([]);
      }
      await a.until(({ nodes }) => nodes.some(({ status }) => status.state === "pending"));
      await using b = await LiveYard.create(`${NAME}-b`, { beside: a });
      expect((await b.up(bside)).failures).toEqual([]);
      expect(await b.comesToReach("n", "10.97.0.1")).toBe(true);
    }
    await expectSameMachine(before, ours);
  });

  test("leads over VXLAN to another host, with room for the tunnel, whatever the number of the network there", async () => {
    const before = await snapshotMachine();
    {
      await using a = await LiveYard.create(`${NAME}-c`);
      await using b = await LiveYard.create(`${NAME}-d`, { beside: a });
      for (const [yard, own, peer] of [
        [a, 1, 2],
        [b, 2, 1],
      ] as const) {
        const text = `
name: far
networks: { underlay: {}, lan: { cidr: 10.98.7.0/24 } }
nodes:
  n: { kind: netns, nics: [ { network: lan, ip: 10.98.7.${own}/24 } ] }
  wide: { kind: c2c, peer: 10.98.0.${peer}, id: 7001, nics: [lan] }
`;
        expect((await yard.up(text)).failures).toEqual([]);
      }
      await joinUnderlays(a, b);
      expect(await a.comesToReach("n", "10.98.7.2")).toBe(true);
      await expectBulkBetween(a, "n", "n", "10.98.7.2", b);
      expect((await a.in("n", "ip", "link", "show", "eth0")).stdout).toContain("mtu 1450");
    }
    await expectSameMachine(before, ours);
  });
});
