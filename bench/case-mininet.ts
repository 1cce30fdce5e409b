import { run } from "@switchyard/base";
import { type Figure, median } from "./figure.ts";
import { hostsLab } from "./lab.ts";
import { benchYard } from "./yard.ts";

const HOSTS = 200;
const RUNS = 3;
const script = new URL("mininet.sh", import.meta.url).pathname;

/** 200 hosts on one switch, up and down, against Mininet. Both have a running switch to begin with. */
export async function mininet(): Promise<Figure[]> {
  const ours: number[] = [];
  const theirs: number[] = [];
  await using yard = await benchYard("bench");
  const lab = await yard.write("hosts.yard.yaml", hostsLab("hosts", HOSTS, 1));
  await yard.start();
  for (let i = 0; i < RUNS; i++) {
    ours.push((await yard.time("up", lab)) + (await yard.time("down", lab)));
    theirs.push(await runMininet(HOSTS));
  }
  return [
    {
      case: "mininet",
      name: `${HOSTS} hosts on one switch, up and down`,
      unit: "s",
      value: median(ours),
      runs: ours,
      baseline: { name: "Mininet", value: median(theirs), runs: theirs },
      target: { of: "baseline/value", at: "least", limit: 10 },
    },
  ];
}

/** @returns the seconds that `mn` took */
async function runMininet(hosts: number): Promise<number> {
  const said = await run(
    ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", script, String(hosts)],
    { timeout: 300_000 },
  );
  const [began, ended] = (said.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  if (began === undefined || ended === undefined) throw new Error(`Mininet's run told no times: ${said}`);
  return ended - began;
}
