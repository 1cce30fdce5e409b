import { bench } from "../packages/ovsdb/bench/ovsdb.ts";
import { type Figure, median } from "./figure.ts";

const RUNS = 3;

/** The OVSDB client: a large snapshot against Python's IDL, guarded transactions against a bare socket. */
export async function replica(): Promise<Figure[]> {
  const rounds: Awaited<ReturnType<typeof bench>>[] = [];
  for (let i = 0; i < RUNS; i++) rounds.push(await bench());
  const [first = []] = rounds;
  return first.map(({ name, unit, baseline, ratio, target }) => {
    const runs = rounds.flatMap((round) => round.find((figure) => figure.name === name)?.value ?? []);
    const theirs = rounds.flatMap((round) => round.find((figure) => figure.name === name)?.baseline ?? []);
    // Where less is better the room gives the ratio the other way round.
    const rate = unit === "1/s";
    return {
      case: "replica",
      name,
      unit,
      value: median(runs),
      runs,
      ...(baseline === undefined
        ? {}
        : { baseline: { name: rate ? "a bare socket" : "Python's IDL", value: median(theirs), runs: theirs } }),
      ...(target === undefined || ratio === undefined
        ? {}
        : { target: { of: rate ? "value/baseline" : "baseline/value", limit: target, at: "least" } as const }),
    };
  });
}
