import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@switchyard/base";
import { startTime, watchExit } from "@switchyard/linux";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import { nodeNamespace } from "../src/agent/mod.ts";
import { usesNetem } from "../src/agent/pipe-work.ts";
import { impairSpec, type Setting, UNIMPAIRED, withSetting } from "../src/model/mod.ts";
import type { Impairment } from "../src/model/types.ts";
import { type Impaired, setImpair } from "../src/store/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(patience(60_000));

const NAME = `timp${process.pid}`;
const ours = { ours: new RegExp(NAME) };

/** The best that this machine has; `SWITCHYARD_IMPAIR=relay` tests the relay where both are. */
const by = (await usesNetem()) ? "netem" : "relay";

type Settings = Partial<Record<Setting, string | number>>;

const LAB = `
name: impaired
networks:
  lan: { cidr: 10.93.0.0/24 }
nodes:
  a: { kind: netns, nics: [ { network: lan, ip: 10.93.0.1/24, impair: { delay: 1ms } } ] }
  b: { kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [ { network: lan, ip: 10.93.0.2/24 } ] }
  c: { kind: netns, nics: [ { name: wan0, ip: 10.93.1.1/24 } ] }
  d: { kind: netns, nics: [ { name: wan0, ip: 10.93.1.2/24 } ] }
links:
  - { endpoints: ["d:wan0", "c:wan0"], impair: { delay: 1ms } }
`;
const NIC = { node: "a", nic: "eth0" } as const;
const LINK = { link: "d:wan0--c:wan0" } as const;

/** What a flight of pings came to. */
interface Flight {
  readonly received: number;
  readonly doubled: number;
  /** Milliseconds. */
  readonly least: number;
  readonly most: number;
}

describe.skipIf(!requires("root", "openvswitch", "runc", "iperf3", "ping", "iproute2"))("an impaired lab", () => {
  let before: Machine;
  let yard: LiveYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
    expect((await yard.up(LAB)).failures).toEqual([]);
    // ARP is not what is measured.
    for (const [from, to] of [
      ["a", "b"],
      ["b", "a"],
      ["c", "d"],
      ["d", "c"],
    ] as const)
      await permanentNeighbour(from, to);
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, ours);
  });

  async function permanentNeighbour(from: string, to: string) {
    const name = from === "a" || from === "b" ? "eth0" : "wan0";
    const address = { a: "10.93.0.1", b: "10.93.0.2", c: "10.93.1.1", d: "10.93.1.2" }[to] ?? "";
    const { stdout } = await yard.in(to, "cat", `/sys/class/net/${name}/address`);
    await yard.in(from, "ip", "neigh", "replace", address, "lladdr", stdout.trim(), "dev", name);
  }

  async function impair(what: Impaired, forward: Settings, backward: Settings = forward): Promise<void> {
    const read = (settings: Settings): Impairment =>
      Object.entries(settings).reduce((it, [key, value]) => withSetting(it, setting(key), value), UNIMPAIRED);
    await using store = await yard.store();
    const spec = impairSpec(read(forward), read(backward));
    const { cfg } = await setImpair(store, what, () => spec);
    expect((await yard.settled(cfg)).failures).toEqual([]);
  }

  async function fly(from: string, to: string, count: number, seconds = 0.005): Promise<Flight> {
    const { stdout } = await yard.in(from, "ping", "-c", `${count}`, "-i", `${seconds}`, "-W", "1", to);
    const [, received, doubled] = /(\d+) received(?:, \+(\d+) duplicates)?/.exec(stdout) ?? [];
    const [, least, most] = /= ([\d.]+)\/[\d.]+\/([\d.]+)/.exec(stdout) ?? [];
    return { received: Number(received), doubled: Number(doubled ?? 0), least: Number(least), most: Number(most) };
  }

  /** Frames that have come to a node. */
  async function counted(node: string, name: string): Promise<number> {
    return Number((await yard.in(node, "cat", `/sys/class/net/${name}/statistics/rx_packets`)).stdout);
  }

  /** What TCP comes to, in Mbit/s. */
  async function throughput(from: string, to: string, address: string, ...more: readonly string[]): Promise<number> {
    const argv = ["netns", "exec", nodeNamespace(NAME, to), "iperf3", "-s", "-1", "--forceflush"];
    const server = spawn("ip", argv, { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(server, "exit");
    try {
      // Its first words are that it listens.
      await once(server.stdout, "data");
      const { stdout } = await yard.in(
        from,
        "timeout",
        `${patience(20)}`,
        "iperf3",
        "-J",
        "-c",
        address,
        "-t",
        "1",
        ...more,
      );
      return Number(JSON.parse(stdout).end.sum_received.bits_per_second) / 1e6;
    } finally {
      server.kill("SIGKILL");
      await ended;
    }
  }

  function setting(key: string): Setting {
    if (key in UNIMPAIRED) return key as Setting;
    throw new Error(`${key} is no setting`);
  }

  /** Of the process that relays frames; 0 where netem does that. */
  function relayPid(): number {
    if (by === "netem") return 0;
    return JSON.parse(readFileSync(join(yard.paths.run, "services", "impair.pid"), "utf8")).pid;
  }

  test("delays the frames of a nic and of a link by what is asked for, each way on its own", async () => {
    await impair(NIC, { delay: "20ms" }, { delay: "10ms" });
    const nic = await fly("a", "10.93.0.2", 20, 0.02);
    expect(nic.received).toBe(20);
    expect(nic.least).toBeWithin(30, 40);
    await impair(LINK, { delay: "25ms" }, { delay: 0 });
    const link = await fly("c", "10.93.1.2", 20, 0.02);
    expect(link.received).toBe(20);
    expect(link.least).toBeWithin(25, 35);
  });

  test("varies the delay by the jitter, and lets some frames overtake others where that is asked for", async () => {
    await impair(LINK, { delay: "20ms", jitter: "15ms" }, {});
    const jittered = await fly("d", "10.93.1.1", 40, 0.04);
    expect(jittered.received).toBe(40);
    expect(jittered.least).toBeWithin(5, 15);
    expect(jittered.most).toBeGreaterThan(25);
    await impair(LINK, { delay: "50ms", reorder: "50%" }, {});
    const { least, most } = await fly("d", "10.93.1.1", 40, 0.02);
    expect(least).toBeLessThan(30);
    expect(most).toBeGreaterThanOrEqual(50);
  });

  test.each([
    ["out", { loss: "30%" }, {}],
    ["in", {}, { loss: "30%" }],
  ] as const)("loses frames on their way %p only", async (_way, out, back) => {
    await impair(NIC, out, back);
    const [toB, toA] = [await counted("b", "eth0"), await counted("a", "eth0")];
    const { received } = await fly("a", "10.93.0.2", 300);
    const arrived = (await counted("b", "eth0")) - toB;
    // Five standard deviations of 300 throws.
    if ("loss" in out) expect(arrived).toBeWithin(210 - 40, 210 + 40);
    else expect(arrived).toBeGreaterThanOrEqual(300);
    expect(received).toBeWithin(210 - 40, 210 + 40);
    expect((await counted("a", "eth0")) - toA).toBeGreaterThanOrEqual(received);
  });

  test("doubles frames, and damages them so that their receiver finds out", async () => {
    await impair(LINK, { duplicate: "100%" }, {});
    // ping(8) ends with the last answer, before that one's double comes.
    const twice = await fly("d", "10.93.1.1", 50);
    expect(twice.received).toBe(50);
    expect(twice.doubled).toBeWithin(49, 51);
    await impair(LINK, { corrupt: "100%" }, {});
    const before = await counted("c", "wan0");
    const { received } = await fly("d", "10.93.1.1", 100);
    // A bit of the destination's MAC or of the TTL, say, does not matter to a check sum of ICMP.
    expect(received).toBeLessThan(70);
    expect((await counted("c", "wan0")) - before).toBeGreaterThan(60);
  });

  test("keeps a rate, another one each way, that TCP takes up", async () => {
    await impair(LINK, { rate: "8mbit", queue: "64kB" }, { rate: "20mbit", queue: 60 });
    expect(await throughput("d", "c", "10.93.1.1")).toBeWithin(6, 8.1);
    expect(await throughput("d", "c", "10.93.1.1", "-R")).toBeWithin(10, 20.2);
  });

  test("changes while it is in use, without the loss of a frame or of the nic", async () => {
    await impair(NIC, { delay: "30ms" });
    const identity = await yard.identity("a");
    const flight = fly("a", "10.93.0.2", 100, 0.02);
    for (const delay of ["5ms", "40ms", "1ms"]) await impair(NIC, { delay });
    expect((await flight).received).toBe(100);
    expect(await yard.identity("a")).toBe(identity);
    const { rows } = await yard.until((found) => found.nodes.length > 0 && { rows: found });
    const [nic] = rows.nodes.find(({ name }) => name === "a")?.nics ?? [];
    expect(nic?.impair?.forward.delay).toBe(1_000);
    expect(nic?.status.impairedBy).toBe(by);
  });

  test("goes on while the agent is killed and started again", async () => {
    await impair(LINK, { delay: "5ms" });
    const flight = fly("c", "10.93.1.2", 80, 0.02);
    const relay = relayPid();
    const agent = await yard.agentPid();
    const ended = Promise.withResolvers<void>();
    using _watch = watchExit({ pid: agent, startTime: startTime(agent) ?? 0n }, ended.resolve);
    process.kill(agent, "SIGKILL");
    await ended.promise;
    expect(await yard.agentPid()).not.toBe(agent);
    expect((await flight).received).toBe(80);
    expect(relayPid()).toBe(relay);
  });

  test("comes again when its relay or one of its devices is taken away", async () => {
    const relay = relayPid();
    const since = yard.logLength();
    if (by === "relay") {
      process.kill(relay, "SIGKILL");
      expect(await yard.comesToReach("c", "10.93.1.2")).toBe(true);
      expect(relayPid()).not.toBe(relay);
      await yard.logged("a service ended", since);
    } else {
      await run(["tc", "-n", yard.paths.namespace, "qdisc", "delete", "dev", "_x_1_0", "root"]);
      expect((await yard.up(LAB)).failures).toEqual([]);
      expect(await run(["tc", "-n", yard.paths.namespace, "qdisc", "show", "dev", "_x_1_0"])).toContain("netem");
    }
    await run(["ip", "-n", yard.paths.namespace, "link", "delete", "_x_1_0"]);
    await run(["ip", "-n", yard.paths.namespace, "link", "delete", "_y_4_0"]);
    expect((await yard.up(LAB)).failures).toEqual([]);
    expect(await yard.comesToReach("c", "10.93.1.2")).toBe(true);
    expect(await yard.comesToReach("a", "10.93.0.2")).toBe(true);
    expect(await yard.plan(LAB)).toEqual([]);
  });

  test("is as fast as any other, with nothing of it left, once nothing is impaired", async () => {
    await impair(NIC, {});
    await impair(LINK, {});
    expect((await fly("a", "10.93.0.2", 20)).received).toBe(20);
    expect((await fly("c", "10.93.1.2", 20)).received).toBe(20);
    expect(existsSync(join(yard.paths.run, "services", "impair.pid"))).toBe(false);
    expect(await run(["ip", "-n", yard.paths.namespace, "-br", "link"])).not.toMatch(/_[xyi]_\d/);
  });
});

describe.skipIf(!requires("root", "openvswitch", "ping"))("the example of a branch office", () => {
  test("comes up, its line and its backup line being as slow as it says", async () => {
    const before = await snapshotMachine();
    {
      await using yard = await LiveYard.create(`${NAME}-x`);
      const lab = readFileSync(join(import.meta.dir, "../../../examples/branch.yard.yaml"), "utf8");
      expect((await yard.up(lab)).failures).toEqual([]);
      expect(await yard.comesToReach("pc", "10.5.2.2")).toBe(true);
      expect(await yard.comesToReach("gate", "10.5.3.2")).toBe(true);
      const least = async (from: string, to: string) => {
        const { stdout } = await yard.in(from, "ping", "-c", "5", "-i", "0.1", "-W", "2", to);
        return Number(/= ([\d.]+)\//.exec(stdout)?.[1]);
      };
      expect(await least("pc", "10.5.2.2")).toBeWithin(50, 90);
      expect(await least("gate", "10.5.3.2")).toBeWithin(200, 250);
    }
    await expectSameMachine(before, ours);
  });
});
