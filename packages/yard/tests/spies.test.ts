import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { run } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { openVmEngine } from "@switchyard/runtime";
import {
  ensureGuest,
  expectSameMachine,
  type Guest,
  type Machine,
  requires,
  snapshotMachine,
} from "@switchyard/testing";
import { LiveYard } from "./live.ts";
import { Screen } from "./screen.ts";
import { expectBulkBetween } from "./tcp.ts";

setDefaultTimeout(60_000);

const able = requires("root", "openvswitch", "runc", "conmon", "busybox", "qemu", "iperf3", "ping", "tcpdump");

describe.skipIf(!able)("spies", () => {
  const name = `tspies${process.pid}`;
  let before: Machine;
  let guest: Guest;
  let yard: LiveYard;

  const lab = () => `
name: spies
networks: { lan: { cidr: 10.87.1.0/24 } }
defaults: { nic: { spy: true } }
nodes:
  a: { kind: netns, nics: [{ network: lan, ip: 10.87.1.1/24 }] }
  box: { kind: container, runtime: oci, image: busybox, command: [sleep, "1000"], nics: [{ network: lan, ip: 10.87.1.2/24 }] }
  vm: { kind: vm, kernel: ${guest.kernel}, initrd: ${guest.initrd}, append: console=ttyS0 quiet media, memory: 160M, cloud_init: {}, nics: [{ network: lan, ip: 10.87.1.3/24 }] }
`;

  beforeAll(async () => {
    before = await snapshotMachine();
    guest = await ensureGuest();
    yard = await LiveYard.create(name);
    expect((await yard.up(lab())).failures).toEqual([]);
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${name}|syguest`) });
  });

  /** What a spy shows of `count` frames, while `body` makes them. */
  async function shown(spy: string, count: number, filter: string, body: () => Promise<unknown>): Promise<string[]> {
    const argv = ["netns", "exec", yard.paths.namespace, "tcpdump", "-lni", spy, "-c", String(count), filter];
    const tcpdump = spawn("ip", argv, { stdio: ["ignore", "pipe", "pipe"] });
    const seen = text(tcpdump.stdout);
    await once(tcpdump.stderr, "data");
    await body();
    return (await seen).trim().split("\n");
  }

  test("are interfaces of every kind of node's nics, and show what passes", async () => {
    const { state: stateDir, run: runDir } = yard.paths;
    const engine = await openVmEngine({ stateDir, runDir, log: createLogger("test", "silent") });
    await Screen.sees(engine, `${name}_vm`, "guest ready");
    for (const [spy, address] of [
      ["s_k_2_0", "10.87.1.2"],
      ["s_k_3_0", "10.87.1.3"],
    ] as const) {
      expect(await yard.comesToReach("a", address)).toBe(true);
      const lines = await shown(spy, 2, "icmp", () => yard.in("a", "ping", "-c", "1", address));
      expect(lines.map((line) => / > (\S+): ICMP echo (\w+)/.exec(line)?.slice(1))).toEqual([
        [address, "request"],
        ["10.87.1.1", "reply"],
      ]);
    }
  });

  test("go on when nics of a machine and of a container are impaired, and show frames as the node has them", async () => {
    const slow = lab().replaceAll(
      /ip: 10.87.1.([23])\/24 /g,
      "ip: 10.87.1.$1/24, impair: { delay: 30ms, in: { delay: 10ms } } ",
    );
    expect((await yard.up(slow)).failures).toEqual([]);
    for (const [spy, address] of [
      ["s_k_2_0", "10.87.1.2"],
      ["s_k_3_0", "10.87.1.3"],
    ] as const) {
      expect(await yard.comesToReach("a", address)).toBe(true);
      let said = "";
      const lines = await shown(spy, 2, "icmp", async () => {
        said = (await yard.in("a", "ping", "-c", "1", "-W", "2", address)).stdout;
      });
      expect(lines).toHaveLength(2);
      expect(Number(/= ([\d.]+)\//.exec(said)?.[1])).toBeGreaterThanOrEqual(40);
    }
    expect((await yard.up(lab())).failures).toEqual([]);
  });

  test("leave bulk TCP alone", async () => {
    await expectBulkBetween(yard, "a", "box", "10.87.1.2");
    await expectBulkBetween(yard, "box", "a", "10.87.1.1");
  });

  test("are put right when somebody takes their parts away", async () => {
    const ovs = (...args: readonly string[]) =>
      run(["ovs-vsctl", "--timeout=10", `--db=unix:${yard.paths.databaseSocket}`, ...args]);
    for (const change of [
      () => ovs("clear", "Bridge", "_b_lan", "mirrors"),
      () => ovs("del-port", "s_k_1_0"),
      () => ovs("clear", "Mirror", "s_k_1_0", "select_src_port"),
      () => run(["ip", "-n", yard.paths.namespace, "link", "del", "s_k_1_0"]),
      () => run(["ip", "-n", yard.paths.namespace, "link", "set", "s_k_1_0", "down"]),
    ]) {
      const at = yard.logLength();
      await change();
      await yard.putRight(lab(), at);
      const lines = await shown("s_k_1_0", 2, "icmp", () => yard.in("a", "ping", "-c", "1", "10.87.1.2"));
      expect(lines).toHaveLength(2);
    }
  });
});
