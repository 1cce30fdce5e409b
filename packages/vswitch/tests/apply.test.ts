import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { applyLinks } from "@switchyard/linux";
import { patience, requires } from "@switchyard/testing";
import {
  applySwitch,
  type BridgeState,
  hubName,
  observeSwitch,
  pipeNames,
  probeDatapath,
  removeOwned,
  spyName,
  startVswitchd,
  stopVswitchd,
} from "../src/mod.ts";
import { A, B, passes } from "./frames.ts";
import { LAN, OWNER, port, type TestSwitch, testSwitch, WIRE } from "./yard.ts";

// A switch starts in a tenth of a second, but the machine may be busy.
setDefaultTimeout(patience(30_000));

describe.skipIf(!requires("root", "openvswitch", "iproute2"))("a switch", () => {
  let sw: TestSwitch;
  let nodes: Map<string, string>;

  beforeAll(async () => {
    sw = await testSwitch();
    nodes = await sw.nodes("n1", "n2", "n3");
  });
  afterAll(() => sw[Symbol.asyncDispose]());

  const lan = (name: string) => new Map([[name, LAN]]);

  test("has what was applied when that is done, and applying it again changes nothing", async () => {
    const change = { setBridges: lan("_b_a"), setPorts: new Map([["n1", port("_b_a", { purpose: "web eth0" })]]) };
    const first = await applySwitch(sw.db, change, { owner: OWNER });
    expect(first).toMatchObject({ changed: true, failures: [] });
    const state = observeSwitch(sw.db, OWNER);
    expect(state.bridges).toEqual(change.setBridges);
    expect(state.ports.get("n1")).toMatchObject({ ...port("_b_a", { purpose: "web eth0" }), error: undefined });
    expect(state.ports.get("n1")?.ofport).toBeGreaterThan(0);
    expect(await applySwitch(sw.db, change, { owner: OWNER })).toEqual({
      changed: false,
      cfg: first.cfg,
      failures: [],
    });
  });

  test("moves a port to another bridge, and takes all of an owner's away at once", async () => {
    const before = sw.db.table("Port").find({ name: "n1" })?._uuid;
    await applySwitch(sw.db, { setBridges: lan("_b_b"), setPorts: new Map([["n1", port("_b_b")]]) }, { owner: OWNER });
    expect(observeSwitch(sw.db, OWNER).ports.get("n1")?.bridge).toBe("_b_b");
    expect(sw.db.table("Port").find({ name: "n1" })?._uuid).toBe(before);
    await removeOwned(`unix:${sw.socket}`, OWNER);
    expect(observeSwitch(sw.db, OWNER)).toEqual({ bridges: new Map(), ports: new Map(), mirrors: new Map() });
    expect(sw.db.table("Interface").size).toBe(0);
  });

  test("takes a port whose device is missing out again when asked, and keeps the others", async () => {
    const ports = new Map([
      ["nowhere", port("_b_a")],
      ["n1", port("_b_a")],
    ]);
    const change = { setBridges: lan("_b_a"), setPorts: ports };
    const result = await applySwitch(sw.db, change, { owner: OWNER, withdrawFailed: true });
    expect(result.failures).toEqual([
      {
        kind: "port",
        name: "nowhere",
        code: "switch.port-failed",
        message: expect.stringContaining("No such device"),
        withdrawn: true,
      },
    ]);
    expect([...observeSwitch(sw.db, OWNER).ports.keys()]).toEqual(["n1"]);
  });

  test("keeps a declared port that failed, and has it when its device is there", async () => {
    const change = { setPorts: new Map([["late", port("_b_a")]]) };
    const failed = await applySwitch(sw.db, change, { owner: OWNER });
    expect(failed.failures).toMatchObject([{ name: "late", code: "switch.port-failed", withdrawn: false }]);
    expect(observeSwitch(sw.db, OWNER).ports.get("late")).toMatchObject({ ofport: undefined, bridge: "_b_a" });
    applyLinks([
      {
        namespace: { name: sw.namespace },
        ops: [{ op: "veth", name: "late", peer: { name: "later", namespace: { name: sw.namespace } } }],
      },
    ]);
    expect((await applySwitch(sw.db, change, { owner: OWNER })).failures).toEqual([]);
    expect(observeSwitch(sw.db, OWNER).ports.get("late")).toMatchObject({
      error: undefined,
      ofport: expect.any(Number),
    });
    await applySwitch(sw.db, { deletePorts: ["late"] }, { owner: OWNER });
  });

  test("takes a port whose device is made after it, even one that it has looked for in vain", async () => {
    const device = (name: string) =>
      applyLinks([
        {
          namespace: { name: sw.namespace },
          ops: [{ op: "veth", name, peer: { name: `${name}p`, namespace: { name: sw.namespace } } }],
        },
      ]);
    const inVain = (name: string) =>
      sw.db.waitFor(() => observeSwitch(sw.db, OWNER).ports.get(name)?.error !== undefined, {
        timeout: patience(10_000),
      });
    const ports = new Map(["soon", "slow", "never"].map((name) => [name, port("_b_a")]));
    const { failures } = await applySwitch(
      sw.db,
      { setPorts: ports },
      {
        owner: OWNER,
        devices: async () => {
          device("soon");
          await inVain("slow");
          device("slow");
        },
      },
    );
    expect(failures).toMatchObject([{ name: "never", message: expect.stringContaining("No such device") }]);
    const { ports: found } = observeSwitch(sw.db, OWNER);
    for (const name of ["soon", "slow"])
      expect(found.get(name)).toMatchObject({ error: undefined, ofport: expect.any(Number) });
    await applySwitch(sw.db, { deletePorts: [...ports.keys()] }, { owner: OWNER });
  });

  test("never touches what bears another mark, or none", async () => {
    const theirs = { setBridges: lan("theirs"), setPorts: new Map([["n2", port("theirs")]]) };
    await applySwitch(sw.db, theirs, { owner: "somebody" });
    const before = observeSwitch(sw.db, "somebody");
    const result = await applySwitch(
      sw.db,
      {
        setBridges: new Map<string, BridgeState>([
          ["theirs", WIRE],
          ["n2", LAN],
        ]),
        setPorts: new Map([
          ["n2", port("_b_a")],
          ["n3", port("theirs")],
          ["theirs", port("_b_a")],
          ["n1", port("missing")],
        ]),
        deleteBridges: ["theirs"],
        deletePorts: ["n2", "theirs"],
      },
      { owner: OWNER },
    );
    expect(result.failures.map(({ kind, name, code }) => `${kind} ${name} ${code}`)).toEqual([
      "bridge theirs switch.name-taken",
      "bridge n2 switch.name-taken",
      "port n2 switch.name-taken",
      "port theirs switch.name-taken",
      "port n1 switch.no-bridge",
    ]);
    expect(observeSwitch(sw.db, "somebody")).toEqual(before);
    // A port of ours on somebody's bridge is ours.
    expect(observeSwitch(sw.db, OWNER).ports.get("n3")?.bridge).toBe("theirs");
    await applySwitch(sw.db, { deletePorts: ["n3"], deleteBridges: ["theirs"] }, { owner: OWNER });
    expect(observeSwitch(sw.db, "somebody")).toEqual(before);
    await removeOwned(`unix:${sw.socket}`, "somebody");
  });

  test("is left with others' ports where they were, when an owner that impaired one goes", async () => {
    const shop = { setBridges: lan("shop"), setPorts: new Map([["n2", port("shop", { tag: 7, number: 5 })]]) };
    await applySwitch(sw.db, shop, { owner: "somebody" });
    const before = observeSwitch(sw.db, "somebody");
    const { near, far } = pipeNames(1, 0);
    applyLinks([
      {
        namespace: { name: sw.namespace },
        ops: [{ op: "veth", name: near, peer: { name: far, namespace: { name: sw.namespace } } }],
      },
    ]);
    const pipe = {
      setBridges: new Map([[hubName(1, 0), WIRE]]),
      setPorts: new Map([
        ["n2", port(hubName(1, 0), { foreign: true })],
        [near, port(hubName(1, 0))],
        [far, port("shop", { tag: 7, number: 5 })],
      ]),
    };
    expect((await applySwitch(sw.db, pipe, { owner: OWNER })).failures).toEqual([]);
    expect(sw.db.table("Interface").find({ name: far })?.ofport).toBe(5);
    await removeOwned(`unix:${sw.socket}`, OWNER);
    await sw.db.waitFor(() => sw.db.table("Interface").find({ name: "n2" })?.ofport === 5, {
      timeout: patience(5_000),
    });
    expect(observeSwitch(sw.db, "somebody")).toEqual(before);
    await removeOwned(`unix:${sw.socket}`, "somebody");
  });

  test("says of a bridge that it has not got that datapath, and finds out which it has", async () => {
    const bad = new Map([["_b_bad", { ...LAN, datapath: "nonsense" }]]);
    const result = await applySwitch(sw.db, { setBridges: bad }, { owner: OWNER, withdrawFailed: true });
    expect(result.failures).toMatchObject([
      { kind: "bridge", name: "_b_bad", code: "switch.bridge-failed", withdrawn: true },
    ]);
    const found = await probeDatapath({ db: sw.db, owner: "probe" });
    const kernel = new Map([["_b_k", { ...LAN, datapath: "system" }]]);
    const tried = await applySwitch(sw.db, { setBridges: kernel }, { owner: OWNER, withdrawFailed: true });
    expect(tried.failures.length === 0).toBe(found === "system");
    await applySwitch(sw.db, { deleteBridges: ["_b_k"] }, { owner: OWNER });
    expect(sw.db.table("Bridge").find({ name: "_probe" })).toBeUndefined();
  });

  test("shows a spy what its port sends and receives, on a lan and on a wire alike, until it is removed", async () => {
    applyLinks([{ namespace: { name: sw.namespace }, ops: [{ op: "sink", name: spyName("n1"), up: true }] }]);
    const [n1, n2, spy] = [nodes.get("n1") ?? "", nodes.get("n2") ?? "", spyName("n1")];
    for (const [bridge, state] of [
      ["_b_a", LAN],
      ["_w_1_0", WIRE],
    ] as const) {
      const setPorts = new Map(["n1", "n2"].map((name) => [name, port(bridge)]));
      const plain = { tag: undefined, trunks: [], vlanMode: undefined };
      const setMirrors = new Map([[spy, { bridge, port: "n1", ...plain, purpose: "nic n1" }]]);
      const change = { setBridges: new Map([[bridge, state]]), setPorts, setMirrors };
      expect((await applySwitch(sw.db, change, { owner: OWNER })).failures).toEqual([]);
      expect(observeSwitch(sw.db, OWNER).mirrors).toEqual(setMirrors);
      expect([...observeSwitch(sw.db, OWNER).ports.keys()].sort()).toEqual(["n1", "n2"]);
      expect((await applySwitch(sw.db, change, { owner: OWNER })).changed).toBe(false);
      const frames = new Map([
        ["a frame", `${B}${A}88b5`],
        ["a tagged frame", `${B}${A}8100000588b5`],
      ]);
      const passed = new Map([...frames.keys()].map((name) => [name, "passed"]));
      expect(await passes(n1, sw.namespace, frames, { device: spy })).toEqual(passed);
      expect(await passes(n2, sw.namespace, frames, { device: spy })).toEqual(passed);
    }
    await applySwitch(sw.db, { deleteMirrors: [spy] }, { owner: OWNER });
    expect(observeSwitch(sw.db, OWNER).mirrors.size).toBe(0);
    expect(sw.db.table("Port").find({ name: spy })).toBeUndefined();
  });

  test("takes 500 ports in one transaction", async () => {
    const names = Array.from({ length: 500 }, (_, i) => `p${i}`);
    applyLinks([
      {
        namespace: { name: sw.namespace },
        ops: names
          .filter((_, i) => i % 2 === 0)
          .map((name, i) => ({
            op: "veth",
            name,
            peer: { name: names[2 * i + 1] ?? "", namespace: { name: sw.namespace } },
          })),
      },
    ]);
    let updates = 0;
    using _count = sw.db.subscribe((changes) => {
      if (changes.some(({ table, old }) => table === "Port" && old === undefined)) updates++;
    });
    const started = performance.now();
    const setPorts = new Map(names.map((name) => [name, port("_b_many")]));
    const result = await applySwitch(sw.db, { setBridges: lan("_b_many"), setPorts }, { owner: OWNER });
    expect(result.failures).toEqual([]);
    expect(updates).toBe(1);
    // The switch itself takes some 1.1 ms for each; the rest is a wide margin for a busy machine.
    expect(performance.now() - started).toBeLessThan(patience(5_000));
    // The kernel closes the old ones for seconds yet, which the new switch need not wait for.
    await stopVswitchd(sw.runDir);
    await startVswitchd({
      namespace: sw.namespace,
      runDir: sw.runDir,
      database: sw.socket,
      tso: true,
      timeout: patience(5_000),
    });
    const lost = [...observeSwitch(sw.db, OWNER).ports].filter(
      ([, { ofport, error }]) => ofport === undefined || error,
    );
    expect(lost.map(([name]) => name)).toEqual([]);
  });
});
