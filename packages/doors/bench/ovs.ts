import { childEnvironment, run, tryRun } from "@switchyard/base";
import { callOvs, openPlace, ovsCommandOf } from "../src/ovs/mod.ts";
import { type BenchSwitch, benchSwitch } from "./switch.ts";

/** One figure, with what it was measured against in the same run. */
export interface Figure {
  readonly name: string;
  /** Milliseconds: the median. */
  readonly value: number;
  readonly runs: readonly number[];
  readonly baseline: { readonly name: string; readonly value: number; readonly runs: readonly number[] };
  /** What `baseline / value` must reach at least. */
  readonly target?: number;
}

const VLANS = 15;
const executable = new URL("../../../dist/yard", import.meta.url).pathname;
const quiet = { warn: () => {} };

/**
 * `vlan-ensure` against the same by ovs-vsctl: the calls that zero-os's plugin makes for it, three that look and five
 * that change. In turns, each on VLANs of its own: by a service that has the database open, by one that opens it each
 * time, and by the executable, whose start is part of it.
 */
export async function bench(): Promise<Figure[]> {
  await using on = await benchSwitch();
  await using db = await openPlace(on.place);
  await callOvs(on.place, "bridge-add", { bridge: "backplane", options: { datapath_type: "netdev" } }, quiet);
  const input = (vlan: number) => ({ master: "backplane", vlan });
  const env = { ...childEnvironment(), OVS_RUNDIR: on.runDir };
  const ways = {
    open: async (vlan: number) =>
      (await ovsCommandOf("vlan-ensure").read(input(vlan), quiet.warn))({ db, place: on.place, ...quiet }),
    opening: (vlan: number) => callOvs(on.place, "vlan-ensure", input(vlan), quiet),
    executable: (vlan: number) =>
      run(
        ["ip", "netns", "exec", on.namespace, executable, "--system", "ovs", "vlan-ensure", "backplane", String(vlan)],
        {
          env,
        },
      ),
    vsctl: (vlan: number) => byVsctl(on, vlan),
  };
  const names = Object.keys(ways) as (keyof typeof ways)[];
  const runs: Record<keyof typeof ways, number[]> = { open: [], opening: [], executable: [], vsctl: [] };
  // One of each that does not count: what is loaded once is loaded then.
  for (let round = 0; round <= VLANS; round++)
    for (const [at, name] of names.entries()) {
      const began = performance.now();
      await ways[name](100 + names.length * round + at);
      if (round > 0) runs[name].push(performance.now() - began);
    }
  const baseline = { name: "by ovs-vsctl", value: median(runs.vsctl), runs: runs.vsctl };
  const figure = (name: string, way: keyof typeof ways, target?: number): Figure => ({
    name,
    value: median(runs[way]),
    runs: runs[way],
    baseline,
    ...(target === undefined ? {} : { target }),
  });
  return [
    figure("vlan-ensure with the database open", "open", 3),
    figure("vlan-ensure that opens the database", "opening", 3),
    figure("vlan-ensure by the executable, with its start", "executable"),
  ];
}

async function byVsctl(on: BenchSwitch, vlan: number): Promise<void> {
  const [bridge, near, far] = [`vlbr${vlan}`, `vlbr${vlan}p`, `vlbr${vlan}in`];
  await on.vsctl("br-exists", "backplane");
  const db = `--db=${on.place.remote}`;
  for (const port of [near, far]) await tryRun(["ovs-vsctl", db, "--timeout=20", "port-to-br", port]);
  await on.vsctl("add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=netdev");
  for (const [master, port, peer, tag] of [
    ["backplane", near, far, [`tag=${vlan}`]],
    [bridge, far, near, []],
  ] as const) {
    await on.vsctl("add-port", master, port, ...tag);
    await on.vsctl("set", "Interface", port, "type=patch", `options:peer=${peer}`);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

if (import.meta.main)
  for (const { name, value, baseline } of await bench())
    process.stdout.write(
      `${name}: ${value.toFixed(1)} ms; ${baseline.name}: ${baseline.value.toFixed(1)} ms, ${(baseline.value / value).toFixed(1)} times as long\n`,
    );
