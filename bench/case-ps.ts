import { type Figure, median } from "./figure.ts";
import { hostsLab } from "./lab.ts";
import { benchYard } from "./yard.ts";

const RUNS = 15;

/** `yard ps` as a whole process, in a yard of a few nodes and in one of a thousand. */
export async function ps(): Promise<Figure[]> {
  await using yard = await benchYard("bench");
  const measure = async (nodes: number, lans: number): Promise<readonly number[]> => {
    await yard.run("up", await yard.write("ps.yard.yaml", hostsLab("ps", nodes, lans)));
    await yard.run("ps");
    const runs: number[] = [];
    for (let i = 0; i < RUNS; i++) runs.push(await yard.time("ps"));
    return runs;
  };
  const few = await measure(6, 3);
  const many = await measure(1_000, 10);
  return [
    {
      case: "ps",
      name: "yard ps, 6 nodes",
      unit: "s",
      value: median(few),
      runs: few,
      target: { of: "value", at: "most", limit: 0.05 },
    },
    { case: "ps", name: "yard ps, 1000 nodes", unit: "s", value: median(many), runs: many },
  ];
}
