/**
 * Measures: `bun bench/bench.ts [CASE]…`. Each figure is the median of several runs, taken in alternation with what it
 * is compared with. Prints a line for each and writes `bench/results.json`; cases that were not run keep their figures.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { tryRun } from "@switchyard/base";
import { z } from "zod";
import { cni } from "./case-cni.ts";
import { containers } from "./case-containers.ts";
import { docker } from "./case-docker.ts";
import { http } from "./case-http.ts";
import { mininet } from "./case-mininet.ts";
import { nodes } from "./case-nodes.ts";
import { ovs } from "./case-ovs.ts";
import { page } from "./case-page.ts";
import { plug } from "./case-plug.ts";
import { ps } from "./case-ps.ts";
import { replica } from "./case-replica.ts";
import { spy } from "./case-spy.ts";
import { tcp } from "./case-tcp.ts";
import { vhostuser } from "./case-vhostuser.ts";
import { describe, type Figure, measured, passes } from "./figure.ts";

const cases: Readonly<Record<string, () => Promise<Figure[]>>> = {
  nodes,
  mininet,
  ps,
  replica,
  tcp,
  spy,
  ovs,
  plug,
  docker,
  containers,
  cni,
  http,
  vhostuser,
  page,
};
const file = new URL("results.json", import.meta.url).pathname;
const Results = z.object({ figures: z.array(z.looseObject({ case: z.string() })) });

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in cases));
if (unknown.length > 0) {
  process.stderr.write(`no case ${unknown.join(", ")}; there are ${Object.keys(cases).join(", ")}\n`);
  process.exit(2);
}
let failures = 0;
for (const [name, measure] of Object.entries(cases)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`${name}:\n`);
  try {
    const figures = await measure();
    for (const figure of figures) process.stdout.write(`  ${describe(figure)}\n`);
    failures += figures.filter((figure) => passes(figure) === false).length;
    await record(name, figures);
  } catch (error) {
    failures++;
    process.stdout.write(`  could not be measured: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
process.stdout.write(failures === 0 ? "all targets reached\n" : `${failures} targets missed or not measured\n`);
process.exit(failures === 0 ? 0 : 1);

async function record(name: string, figures: readonly Figure[]): Promise<void> {
  const date = new Date().toISOString();
  const results = {
    machine: await machine(),
    figures: [
      ...earlier().filter((figure) => figure.case !== name),
      ...figures.map((figure) => ({ ...figure, reached: measured(figure), pass: passes(figure), date })),
    ],
  };
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
}

function earlier(): z.infer<typeof Results>["figures"] {
  try {
    return Results.parse(JSON.parse(readFileSync(file, "utf8"))).figures;
  } catch {
    return [];
  }
}

async function machine() {
  const version = async (...argv: [string, ...string[]]) => {
    const result = await tryRun(argv).catch(() => undefined);
    return result ? (`${result.stdout}${result.stderr}`.trim().split("\n")[0] ?? "") : "not installed";
  };
  return {
    processor: cpus()[0]?.model ?? "",
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    bun: Bun.version,
    openvswitch: await version("ovs-vswitchd", "--version"),
    mininet: await version("mn", "--version"),
  };
}
