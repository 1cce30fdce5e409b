import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { delay, run, tryRun } from "@switchyard/base";
import { readSysctls, setSysctls } from "@switchyard/linux";
import { patience, requires } from "@switchyard/testing";
import { applySwitch, fdbShow, observeSwitch, startVswitchd, stopVswitchd } from "../src/mod.ts";
import { A, B, KINDS, passes } from "./frames.ts";
import { DATAPATH, LAN, OWNER, port, type TestSwitch, testSwitch, WIRE } from "./yard.ts";

// A switch starts in a tenth of a second, but the machine may be busy.
setDefaultTimeout(patience(30_000));

const all = new Map([...KINDS.keys()].map((name) => [name, "passed"]));
// The kernel's own datapath takes off a tag that says nothing, of VLAN 0 and priority 0.
if (DATAPATH === "system") all.set("an empty tag", "0800000000000000");

describe.skipIf(!requires("root", "openvswitch", "iproute2", "iperf3"))("between two nodes", () => {
  let sw: TestSwitch;
  let a = "";
  let b = "";

  beforeAll(async () => {
    sw = await testSwitch();
    const nodes = await sw.nodes("na", "nb");
    a = nodes.get("na") ?? "";
    b = nodes.get("nb") ?? "";
    for (const name of [a, b]) setSysctls({ name }, { "net.ipv6.conf.all.disable_ipv6": "1" });
    expect(readSysctls({ name: a }, ["net.ipv6.conf.all.disable_ipv6"])).toBeDefined();
  });
  afterAll(() => sw[Symbol.asyncDispose]());

  const wire = async () => {
    const change = {
      setBridges: new Map([["_w_1_0", WIRE]]),
      setPorts: new Map([
        ["na", port("_w_1_0")],
        ["nb", port("_w_1_0")],
      ]),
      deleteBridges: ["_b_lan"],
    };
    expect((await applySwitch(sw.db, change, { owner: OWNER })).failures).toEqual([]);
  };

  test("a wire passes every frame as it is, in both directions, and learns nothing", async () => {
    await wire();
    expect(await passes(a, b, KINDS)).toEqual(all);
    expect(await passes(b, a, KINDS)).toEqual(all);
    expect(await fdbShow(sw.runDir, "_w_1_0")).toEqual([]);
  });

  test("a wire still passes every frame after the switch was killed and started again", async () => {
    await wire();
    await stopVswitchd(sw.runDir);
    await startVswitchd({ namespace: sw.namespace, runDir: sw.runDir, database: sw.socket, tso: true });
    expect(await passes(a, b, KINDS)).toEqual(all);
  });

  test(
    "TCP runs over a wire and over a lan with the offloads of the nodes left on",
    async () => {
      await run(["ip", "-n", a, "address", "replace", "10.77.0.1/24", "dev", "eth0"]);
      await run(["ip", "-n", b, "address", "replace", "10.77.0.2/24", "dev", "eth0"]);
      await wire();
      await tcp(a, b);
      const lan = new Map([["_b_lan", LAN]]);
      const ports = new Map(["na", "nb"].map((name) => [name, port("_b_lan")]));
      const moved = await applySwitch(
        sw.db,
        { setBridges: lan, setPorts: ports, deleteBridges: ["_w_1_0"] },
        { owner: OWNER },
      );
      expect(moved.failures).toEqual([]);
      expect([...observeSwitch(sw.db, OWNER).bridges.keys()]).toEqual(["_b_lan"]);
      await tcp(a, b);
      await run(["ip", "netns", "exec", a, "ping", "-c", "1", "-W", "2", "10.77.0.2"]);
      expect((await fdbShow(sw.runDir, "_b_lan")).map(({ vlan }) => vlan)).toEqual([0, 0]);
    },
    patience(60_000),
  );

  test("an access port takes part in its VLAN, a trunk carries the tags that it lists", async () => {
    const set = async (na: Parameters<typeof port>[1], nb: Parameters<typeof port>[1]) => {
      const setPorts = new Map([
        ["na", port("_b_lan", na)],
        ["nb", port("_b_lan", nb)],
      ]);
      const result = await applySwitch(sw.db, { setBridges: new Map([["_b_lan", LAN]]), setPorts }, { owner: OWNER });
      expect(result.failures).toEqual([]);
      expect(observeSwitch(sw.db, OWNER).ports.get("na")).toMatchObject(port("_b_lan", na));
    };
    const frames = new Map([
      ["untagged", `${B}${A}88b5`],
      ["tag 5", `${B}${A}8100000588b5`],
      ["tag 6", `${B}${A}8100000688b5`],
    ]);
    const sees = async (from: string, to: string, expected: Readonly<Record<string, string>>) => {
      const some = (lost: boolean) => new Map([...frames].filter(([name]) => (expected[name] === "lost") === lost));
      const came = [
        ...(await passes(from, to, some(false))),
        ...(await passes(from, to, some(true), { patience: 0.3 })),
      ];
      expect(Object.fromEntries(came)).toEqual(expected);
    };
    const [tagged5, tagged6] = ["8100000588b50000", "8100000688b50000"];
    await set({ tag: 5, vlanMode: "access" }, { tag: 6 });
    await sees(a, b, { untagged: "lost", "tag 5": "lost", "tag 6": "lost" });
    await set({ tag: 5 }, { tag: 5 });
    await sees(a, b, { untagged: "passed", "tag 5": "lost", "tag 6": "lost" });
    await set({ tag: 5 }, { trunks: [5, 7], vlanMode: "trunk" });
    await sees(a, b, { untagged: tagged5, "tag 5": "lost", "tag 6": "lost" });
    await sees(b, a, { untagged: "lost", "tag 5": "88b5000000000000", "tag 6": "lost" });
    await set({ trunks: [5, 6], tag: 6, vlanMode: "native-untagged" }, { trunks: [5, 6], vlanMode: "trunk" });
    await sees(a, b, { untagged: tagged6, "tag 5": "passed", "tag 6": "passed" });
  });
});

async function tcp(from: string, to: string): Promise<void> {
  const server = run(["ip", "netns", "exec", to, "iperf3", "-s", "-1"], { timeout: patience(25_000) });
  // The server says nothing when it listens, the client does not try again, and with -J it exits with 0 in any case.
  let said = "";
  let received: string | undefined;
  for (let left = 40; left > 0 && received === undefined; left--) {
    if (said !== "") await delay(50);
    const iperf = ["iperf3", "-c", "10.77.0.2", "-t", "1", "-J"] as const;
    said = (await tryRun(["ip", "netns", "exec", from, ...iperf], { timeout: patience(20_000) })).stdout;
    received = /"sum_received":\s*\{[^}]*"bytes":\s*(\d+)/.exec(said)?.[1];
  }
  await server;
  // Checksums that nobody filled in would let nothing through but the handshake.
  expect(Number(received), said).toBeGreaterThan(2 ** 17);
}
