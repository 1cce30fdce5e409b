import { bench } from "../packages/doors/bench/ovs.ts";
import type { Figure } from "./figure.ts";

/** The `ovs` commands: a VLAN's bridge, against the same by ovs-vsctl. */
export async function ovs(): Promise<Figure[]> {
  const seconds = (milliseconds: number) => milliseconds / 1000;
  return (await bench()).map(({ name, value, runs, baseline, target }) => ({
    case: "ovs",
    name,
    unit: "s",
    value: seconds(value),
    runs: runs.map(seconds),
    baseline: { name: baseline.name, value: seconds(baseline.value), runs: baseline.runs.map(seconds) },
    ...(target === undefined ? {} : { target: { of: "baseline/value", limit: target, at: "least" } as const }),
  }));
}
