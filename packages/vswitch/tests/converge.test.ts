import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { requires } from "@switchyard/testing";
import fc from "fast-check";
import {
  applySwitch,
  type BridgeState,
  type MirrorState,
  observeSwitch,
  type PortState,
  type SwitchChange,
  spyName,
} from "../src/mod.ts";
import { type TestSwitch, testSwitch } from "./yard.ts";

// A switch starts in a tenth of a second, but the machine may be busy.
setDefaultTimeout(30_000);

interface Wanted {
  readonly bridges: ReadonlyMap<string, BridgeState>;
  readonly ports: ReadonlyMap<string, PortState>;
  readonly mirrors: ReadonlyMap<string, MirrorState>;
}

const bridge: fc.Arbitrary<BridgeState> = fc
  .record({
    datapath: fc.constantFrom("system", "netdev"),
    otherConfig: fc.dictionary(fc.constantFrom("forward-bpdu", "mac-aging-time"), fc.constantFrom("true", "60")),
    hub: fc.constant(false),
    purpose: fc.string({ maxLength: 8 }),
  })
  .chain((state) => fc.constantFrom<BridgeState[]>(state, { ...state, rstp: true }));
const port = (name: string, bridges: readonly string[]): fc.Arbitrary<[string, PortState]> =>
  fc
    .record({
      bridge: fc.constantFrom(...bridges),
      type: fc.constantFrom("", "internal", "patch"),
      tag: fc.option(fc.integer({ min: 1, max: 4094 }), { nil: undefined }),
      trunks: fc
        .uniqueArray(fc.integer({ min: 0, max: 4095 }), { maxLength: 4 })
        .map((vlans) => vlans.sort((a, b) => a - b)),
      vlanMode: fc.constantFrom("access", "trunk", "native-untagged", undefined),
      protected: fc.boolean(),
      keepsQueue: fc.boolean(),
      options: fc.dictionary(fc.constantFrom("peer", "key"), fc.string({ maxLength: 5 })),
      purpose: fc.string({ maxLength: 8 }),
    })
    .map((state) => [name, state]);

/** Any state of few names, so that one often meets another. A hub's name says that it is one, and its ports are plain. */
const wanted: fc.Arbitrary<Wanted> = fc
  .record({
    lans: fc.dictionary(fc.constantFrom("b1", "b2", "b3"), bridge),
    wires: fc.dictionary(fc.constantFrom("w1", "w2"), bridge),
    names: fc.subarray(["p1", "p2", "p3", "p4"]),
    spied: fc.subarray(["p1", "p2", "p3", "p4"]),
  })
  .chain(({ lans, wires, names, spied }) => {
    const bridges = new Map([
      ...Object.entries(lans),
      ...Object.entries(wires).map(([name, state]) => [name, { ...state, hub: true }] as const),
    ]);
    const homes = [...bridges.keys()];
    const ports = homes.length === 0 ? fc.constant([]) : fc.tuple(...names.map((name) => port(name, homes)));
    return ports.map((entries) => {
      const plain = { tag: undefined, trunks: [], vlanMode: undefined };
      const all = new Map(
        entries.map(([name, state]) => [name, state.bridge.startsWith("w") ? { ...state, ...plain } : state] as const),
      );
      const mirrors = spied.flatMap((name) => {
        const state = all.get(name);
        if (state === undefined) return [];
        const { bridge, tag, trunks, vlanMode, purpose } = state;
        return [[spyName(name), { bridge, port: name, tag, trunks, vlanMode, purpose }] as const];
      });
      return { bridges, ports: all, mirrors: new Map(mirrors) };
    });
  });

describe.skipIf(!requires("root", "openvswitch"))("whatever a switch holds", () => {
  let sw: TestSwitch;
  beforeAll(async () => {
    sw = await testSwitch({ vswitchd: false });
  });
  afterAll(() => sw[Symbol.asyncDispose]());

  test("after a change it holds what was asked for, another owner's things as before, and no row beside", async () => {
    const theirs = {
      setBridges: new Map([["x1", { datapath: "netdev", otherConfig: {}, hub: false, purpose: "" }]]),
    };
    await applySwitch(sw.db, theirs, { owner: "somebody", wait: false });
    const before = observeSwitch(sw.db, "somebody");
    await fc.assert(
      fc.asyncProperty(wanted, async (state) => {
        const change = changeTo(state);
        expect((await applySwitch(sw.db, change, { owner: "us", wait: false })).failures).toEqual([]);
        const seen = observeSwitch(sw.db, "us");
        expect(seen.bridges).toEqual(state.bridges);
        expect(seen.mirrors).toEqual(state.mirrors);
        expect([...seen.ports.keys()].sort()).toEqual([...state.ports.keys()].sort());
        for (const [name, wish] of state.ports) expect(seen.ports.get(name)).toMatchObject({ ...wish });
        expect(observeSwitch(sw.db, "somebody")).toEqual(before);
        const rows = state.bridges.size + state.ports.size + state.mirrors.size + 1;
        expect([sw.db.table("Port").size, sw.db.table("Interface").size]).toEqual([rows, rows]);
        expect(sw.db.table("QoS").size).toBe([...state.ports.values()].some(({ keepsQueue }) => keepsQueue) ? 1 : 0);
        // No switch runs, so each port is tried again; the rows themselves stay.
        const ids = [...sw.db.table("Port"), ...sw.db.table("Interface"), ...sw.db.table("Mirror")];
        await applySwitch(sw.db, change, { owner: "us", wait: false });
        expect([...sw.db.table("Port"), ...sw.db.table("Interface"), ...sw.db.table("Mirror")]).toEqual(ids);
      }),
      { numRuns: 60 },
    );
  });

  function changeTo(state: Wanted): SwitchChange {
    const seen = observeSwitch(sw.db, "us");
    const gone = (had: ReadonlyMap<string, unknown>, has: ReadonlyMap<string, unknown>) =>
      [...had.keys()].filter((name) => !has.has(name));
    return {
      setBridges: state.bridges,
      setPorts: state.ports,
      setMirrors: state.mirrors,
      deleteBridges: gone(seen.bridges, state.bridges),
      deletePorts: gone(seen.ports, state.ports),
      deleteMirrors: gone(seen.mirrors, state.mirrors),
    };
  }
});
