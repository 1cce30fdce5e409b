import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import fc from "fast-check";
import { pings, type TestSwitch, testSwitch } from "./switch.ts";

setDefaultTimeout(patience(120_000));
const failure = (work: Promise<unknown>) =>
  work.then(
    () => "no failure",
    (error: unknown) => error,
  );

/** What may be there of one end of the patch. */
interface PortState {
  readonly on: "backplane" | "vlbr10" | "other";
  readonly type: "" | "patch" | "internal";
  readonly peer: "vlbr10p" | "vlbr10in" | "nobody" | undefined;
  readonly tag: number | undefined;
  readonly trunks: readonly number[];
  readonly marked: boolean;
}

interface HalfMade {
  readonly bridge: "absent" | "fresh" | "broken" | "marked" | "with a host";
  readonly near: PortState | undefined;
  readonly far: PortState | undefined;
}

const portState = (on: readonly PortState["on"][]) =>
  fc.option(
    fc.record({
      on: fc.constantFrom(...on),
      type: fc.constantFrom<PortState["type"]>("patch", "", "internal"),
      peer: fc.constantFrom<PortState["peer"]>("vlbr10p", "vlbr10in", "nobody", undefined),
      tag: fc.constantFrom(undefined, 0, 10, 20),
      trunks: fc.constantFrom<readonly number[]>([], [1, 2]),
      marked: fc.boolean(),
    }),
    { nil: undefined },
  );

const halfMade: fc.Arbitrary<HalfMade> = fc.record({
  bridge: fc.constantFrom<HalfMade["bridge"]>("absent", "fresh", "broken", "marked", "with a host"),
  near: portState(["backplane", "other"]),
  far: portState(["backplane", "vlbr10", "other"]),
});

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping"))("vlan-ensure", () => {
  let before: Machine;
  let sw: TestSwitch;
  beforeAll(async () => {
    before = await snapshotMachine();
    sw = await testSwitch();
  });
  afterAll(async () => {
    await sw[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: /tdoors[_-]/ });
  });

  const port = (name: string) => sw.db.table("Port").find({ name });
  const link = (name: string) => sw.db.table("Interface").find({ name });

  /** All that a command writes; a bridge's version is the switch's own word, some time later. */
  const written = () => [
    ...sw.db.table("Port"),
    ...[...sw.db.table("Bridge")].map(({ datapath_version: _, ...bridge }) => bridge),
  ];

  /** Puts rows there as somebody might have left them. */
  async function put(state: HalfMade): Promise<void> {
    await sw.db.transact((tx) => {
      const [root] = tx.rows("Open_vSwitch");
      if (root === undefined) return;
      const add = (name: string, datapath_type: string, marked = false) => {
        const external_ids: Record<string, string> = marked
          ? { "switchyard-owner": "ovs", "switchyard-purpose": "vlan 10 of backplane" }
          : { a: "b" };
        const links = [tx.insert("Interface", { name, type: "internal" })];
        const ports = [tx.insert("Port", { name, interfaces: links })];
        const bridge = tx.insert("Bridge", { name, datapath_type, ports, external_ids });
        tx.mutate("Open_vSwitch", root._uuid, { bridges: { insert: [bridge] } });
        return bridge;
      };
      const bridges = { backplane: add("backplane", "netdev"), other: add("other", "netdev") };
      const { near, far, bridge } = state;
      const vlbr =
        bridge === "absent" && far?.on !== "vlbr10"
          ? undefined
          : add("vlbr10", bridge === "broken" ? "" : "netdev", bridge === "marked");
      const place = (name: string, home: typeof vlbr, one: PortState) => {
        if (home === undefined) return;
        const external_ids: Record<string, string> = one.marked ? { "switchyard-owner": "ovs" } : {};
        const options: Record<string, string> = one.peer === undefined ? {} : { peer: one.peer };
        const links = [tx.insert("Interface", { name, type: one.type, options, external_ids })];
        const columns = { tag: one.tag, trunks: one.trunks, external_ids };
        const ports = [tx.insert("Port", { name, interfaces: links, ...columns })];
        tx.mutate("Bridge", home, { ports: { insert: ports } });
      };
      for (const [name, one] of [
        ["vlbr10p", near],
        ["vlbr10in", far],
      ] as const)
        if (one !== undefined) place(name, one.on === "vlbr10" ? vlbr : bridges[one.on], one);
      if (bridge === "with a host") {
        const plain = { type: "internal", peer: undefined, tag: undefined, trunks: [], marked: false } as const;
        place("host0", vlbr, { ...plain, on: "vlbr10" });
      }
      tx.increment("Open_vSwitch", root._uuid, "next_cfg");
    });
  }

  test("comes from whatever is there to a VLAN's bridge that works, or says which master has the VLAN", async () => {
    let refused = 0;
    let made = 0;
    await fc.assert(
      fc.asyncProperty(halfMade, async (state) => {
        await sw.clear();
        await put(state);
        const names = sw.names();
        const want = { master: "backplane", vlan: 10 };
        if (state.near?.on === "other") {
          refused++;
          expect(await failure(sw.ovs("vlan-ensure", want))).toMatchObject({
            code: "switch.other-master",
            message: "VLAN 10 belongs to the master other, not backplane",
          });
          expect(sw.names()).toEqual(names);
          return;
        }
        made++;
        const bridge = state.far?.on === "other" ? "other" : "vlbr10";
        expect(await sw.ovs("vlan-ensure", want)).toBe(bridge);
        expect(sw.ports().backplane).toEqual(["vlbr10p"]);
        expect(sw.ports()[bridge]).toContain("vlbr10in");
        expect(port("vlbr10p")).toMatchObject({ tag: 10, trunks: new Set() });
        expect(port("vlbr10in")).toMatchObject({ tag: undefined, trunks: new Set(), vlan_mode: undefined });
        for (const [name, peer] of [
          ["vlbr10p", "vlbr10in"],
          ["vlbr10in", "vlbr10p"],
        ] as const) {
          expect(link(name)).toMatchObject({ type: "patch", options: new Map([["peer", peer]]) });
          expect(link(name)?.ofport).toBeGreaterThan(0);
        }
        if (state.bridge === "with a host" && bridge === "vlbr10") expect(sw.ports().vlbr10).toContain("host0");
        // Nothing is there that was not, but for what was wanted.
        const wanted = ["vlbr10p", "vlbr10in", "vlbr10"].flatMap((name) => [`Port ${name}`, `Interface ${name}`]);
        const all = new Set([...names, ...wanted, "Bridge vlbr10"]);
        expect(sw.names().filter((name) => !all.has(name))).toEqual([]);
        const rows = written();
        expect(await sw.ovs("vlan-ensure", want)).toBe(bridge);
        expect(written()).toEqual(rows);
      }),
      { numRuns: 60 },
    );
    expect(refused).toBeGreaterThan(0);
    expect(made).toBeGreaterThan(20);
  });

  test("after the VLAN's bridge was deleted, by this command or by ovs-vsctl, makes it anew", async () => {
    await sw.clear();
    await sw.ovs("bridge-add", { bridge: "backplane" });
    await sw.ovs("vlan-ensure", { master: "backplane", vlan: 10 });
    await sw.ovs("bridge-del", { bridge: "vlbr10" });
    expect(sw.ports()).toEqual({ backplane: [] });
    expect(await sw.ovs("vlan-ensure", { master: "backplane", vlan: 10 })).toBe("vlbr10");
    await sw.vsctl("del-br", "vlbr10");
    expect(await sw.ovs("vlan-ensure", { master: "backplane", vlan: 10 })).toBe("vlbr10");
    await sw.ovs("bridge-del", { bridge: "backplane" });
    await sw.ovs("bridge-add", { bridge: "backplane" });
    expect(await sw.ovs("vlan-ensure", { master: "backplane", vlan: 10 })).toBe("vlbr10");
    expect(sw.ports()).toEqual({ backplane: ["vlbr10p"], vlbr10: ["vlbr10in"] });
  });

  test("keeps one bridge to a VLAN, and one VLAN to a bridge", async () => {
    await sw.clear();
    await sw.ovs("bridge-add", { bridge: "backplane" });
    const ensure = (vlan: unknown, name?: string) => sw.ovs("vlan-ensure", { master: "backplane", vlan, name });
    expect(await ensure(100, "bn1")).toBe("bn1");
    expect(await ensure(100)).toBe("bn1");
    const ports = sw.ports();
    for (let again = 0; again < 2; again++)
      expect(await failure(ensure(100, "bn2"))).toMatchObject({ code: "switch.other-bridge" });
    expect(await failure(ensure(200, "bn1"))).toMatchObject({ code: "switch.other-bridge" });
    expect(await failure(ensure(300, "backplane"))).toMatchObject({ code: "switch.other-bridge" });
    expect(await failure(sw.ovs("vlan-ensure", { master: "none", vlan: 1 }))).toMatchObject({
      code: "switch.no-bridge",
    });
    for (const bad of [4095, -1, "ten", undefined])
      expect(await failure(ensure(bad))).toMatchObject({ code: "ovs.bad-argument" });
    expect(sw.ports()).toEqual(ports);
    expect(await ensure("4094")).toBe("vlbr4094");
  });

  test("is one transaction", async () => {
    await sw.clear();
    await sw.ovs("bridge-add", { bridge: "backplane" });
    const seen: number[] = [];
    using _count = sw.db.subscribe((changes) => {
      const made = changes.filter(({ old, table }) => old === undefined && table !== "Open_vSwitch").length;
      if (made > 0) seen.push(made);
    });
    await sw.ovs("vlan-ensure", { master: "backplane", vlan: 12 });
    // A bridge, its own port, the two of the patch, and an interface for each.
    expect(seen).toEqual([7]);
  });

  test("many at once do not disturb each other", async () => {
    await sw.clear();
    await sw.ovs("bridge-add", { bridge: "backplane" });
    const vlans = [1, 2, 3, 4, 5, 1, 2, 3];
    const all = await Promise.all(vlans.map((vlan) => sw.ovs("vlan-ensure", { master: "backplane", vlan })));
    expect(all).toEqual(vlans.map((vlan) => `vlbr${vlan}`));
    expect(sw.ports().backplane).toHaveLength(5);
  });

  test("VLAN 0 is what bears no tag, and nothing else", async () => {
    await sw.clear();
    await sw.ovs("bridge-add", { bridge: "backplane" });
    expect(await sw.ovs("vlan-ensure", { master: "backplane", vlan: 0 })).toBe("vlbr0");
    const { za, zb, zc } = await sw.hosts({ za: "10.9.3.1/24", zb: "10.9.3.2/24", zc: "10.9.3.3/24" });
    await sw.ovs("port-add", { bridge: "vlbr0", port: "za" });
    await sw.ovs("port-add", { bridge: "backplane", port: "zb" });
    await sw.ovs("port-add", { bridge: "backplane", port: "zc", vlan: 10 });
    expect(await pings(za ?? "", "10.9.3.2")).toBe(true);
    expect(await pings(za ?? "", "10.9.3.3")).toBe(false);
    expect(zb && zc).toBeDefined();
    expect(port("vlbr0p")?.tag).toBe(0);
  });
});
