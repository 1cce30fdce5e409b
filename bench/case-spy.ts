import { throughput } from "./case-tcp.ts";
import { type Figure, median } from "./figure.ts";
import { benchYard } from "./yard.ts";

const RUNS = 3;

const lab = `name: spied
networks: { lan1: { cidr: 10.1.0.0/24 } }
nodes:
  a: { kind: netns, nics: [ { network: lan1, ip: 10.1.0.1/24 } ] }
  b: { kind: netns, nics: [ { network: lan1, ip: 10.1.0.2/24 } ] }
`;

/** What it costs TCP to be looked at: by a spy alone, and by a capture of the first 128 bytes of each frame. */
export async function spy(): Promise<Figure[]> {
  await using yard = await benchYard("bench");
  await yard.run("up", await yard.write("spied.yard.yaml", lab));
  const measure = () => throughput(`yard_${yard.name}_a`, `yard_${yard.name}_b`, "10.1.0.2");
  const bare: number[] = [];
  const spied: number[] = [];
  const captured: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    bare.push(await measure());
    await yard.run("spy", "a:eth0", "on");
    spied.push(await measure());
    await yard.run("spy", "a:eth0", "off");
    const capture = yard.run("capture", "a:eth0", "-s", "128", "-d", "6s", "-w", "/dev/null");
    captured.push(await measure());
    await capture;
  }
  const baseline = { name: "without a spy", value: median(bare), runs: bare };
  const figure = (name: string, runs: readonly number[]): Figure => ({
    case: "spy",
    name,
    unit: "Mbit/s",
    value: median(runs),
    runs,
    baseline,
    target: { of: "value/baseline", at: "least", limit: 0.3 },
  });
  return [figure("TCP with a spy on one nic", spied), figure("TCP with a capture running", captured)];
}
