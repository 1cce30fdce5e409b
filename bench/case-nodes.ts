import { type Figure, median } from "./figure.ts";
import { clearFloor, extendFloor, raiseFloor } from "./floor.ts";
import { hostsLab } from "./lab.ts";
import { privateSwitch } from "./private-switch.ts";
import { benchYard } from "./yard.ts";

const NODES = 1_000;
const LANS = 10;
const RUNS = 3;

/** 1,000 addressed bare hosts on 10 lans: up, again, one more, down; the raw floor in alternation. */
export async function nodes(): Promise<Figure[]> {
  const times = {
    floor: [] as number[],
    up: [] as number[],
    again: [] as number[],
    more: [] as number[],
    down: [] as number[],
  };
  const floorMore: number[] = [];
  const cold = { floor: [] as number[], up: [] as number[], down: [] as number[] };
  const memory: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const began = performance.now();
    const floor = await privateSwitch("sybench-floor", true);
    try {
      times.floor.push((await raiseFloor(floor, NODES, LANS)).total);
      cold.floor.push((performance.now() - began) / 1000);
      floorMore.push(await extendFloor(floor, NODES, LANS));
    } finally {
      // The switch first: one that still runs looks at every port that vanishes.
      await floor[Symbol.asyncDispose]();
      clearFloor(floor.namespace, NODES + 1);
    }
    await using yard = await benchYard("bench");
    const lab = await yard.write("nodes.yard.yaml", hostsLab("nodes", NODES, LANS));
    // What starts the yard's switch is told apart.
    const start = await yard.start();
    times.up.push(await yard.time("up", lab));
    cold.up.push(start + (times.up.at(-1) ?? 0));
    for (let again = 0; again < 3; again++) times.again.push(await yard.time("up", lab));
    await yard.write("nodes.yard.yaml", hostsLab("nodes", NODES + 1, LANS));
    times.more.push(await yard.time("up", lab));
    memory.push(yard.agentMemory());
    times.down.push(await yard.time("down", lab));
    await yard.run("up", lab);
    cold.down.push(await yard.time("down", "--all"));
  }
  const figure = (name: string, runs: readonly number[], rest: Partial<Figure> = {}): Figure => ({
    case: "nodes",
    name: `${NODES} hosts on ${LANS} lans, ${name}`,
    unit: "s",
    value: median(runs),
    runs,
    ...rest,
  });
  const floor = (runs: readonly number[], name = "raw floor") => ({ name, value: median(runs), runs });
  return [
    figure("up", times.up, { baseline: floor(times.floor), target: { of: "value/baseline", at: "most", limit: 1.5 } }),
    figure("up, the switch started too", cold.up, { baseline: floor(cold.floor, "raw floor with its switch") }),
    figure("up again, nothing to do", times.again, { target: { of: "value", at: "most", limit: 0.3 } }),
    figure("one node more", times.more, {
      baseline: floor(floorMore, "the same by ip and ovs-vsctl"),
      target: { of: "value", at: "most", limit: 0.15 },
    }),
    figure("down", times.down, { target: { of: "value", at: "most", limit: 2 } }),
    figure("down --all", cold.down),
    figure("the agent's memory", memory, { unit: "MB", target: { of: "value", at: "most", limit: 200 } }),
  ];
}
