import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Figure, median } from "./figure.ts";
import { hostsLab } from "./lab.ts";
import { benchYard } from "./yard.ts";

const NODES = 200;
const CLIENTS = 50;
/** Requests of each client in one run. */
const REQUESTS = 40;
const RUNS = 5;

/** What people and pages ask most: a node of a yard, and all of it. */
const asked = [
  { what: "a node", path: "/api/v1/nodes/h1-1", limit: 0.05 },
  { what: "the whole yard", path: "/api/v1/yard", limit: 0.2 },
] as const;

/** Latency of the API with many clients, each of which asks again when it has its answer. */
export async function http(): Promise<Figure[]> {
  await using yard = await benchYard("bench");
  await yard.run("up", await yard.write("http.yard.yaml", hostsLab("http", NODES, 4)));
  const [program = "", ...argv] = yard.argv("serve", "--http", "127.0.0.1:0", "--rate", "0");
  const server = spawn(program, argv, { env: yard.env, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const link = new URL(await linkOf(createInterface({ input: server.stdout })));
    const headers = { authorization: `Bearer ${link.searchParams.get("token")}` };
    const figures: Figure[] = [];
    for (const { what, path, limit } of asked) {
      await ask(`${link.origin}${path}`, headers);
      const runs: number[] = [];
      for (let run = 0; run < RUNS; run++) runs.push(await p99(`${link.origin}${path}`, headers));
      const name = `HTTP API, ${what} of ${NODES} nodes, ${CLIENTS} clients, p99`;
      figures.push({
        case: "http",
        name,
        unit: "s",
        value: median(runs),
        runs,
        target: { of: "value", at: "most", limit },
      });
    }
    return figures;
  } finally {
    server.kill("SIGTERM");
    await once(server, "close");
  }
}

/** @returns seconds */
async function p99(url: string, headers: Record<string, string>): Promise<number> {
  const times: number[] = [];
  const client = async () => {
    for (let at = 0; at < REQUESTS; at++) times.push(await ask(url, headers));
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;
}

/** @returns seconds until the whole answer was there */
async function ask(url: string, headers: Record<string, string>): Promise<number> {
  const began = performance.now();
  const answer = await fetch(url, { headers });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return (performance.now() - began) / 1_000;
}

async function linkOf(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) if (line.startsWith("http://")) return line;
  throw new Error("the server ended before it served");
}
