import { readFileSync } from "node:fs";
import { openDatabase } from "../src/mod.ts";
import { schema } from "../tests/open_vswitch.gen.ts";

/**
 * `load.ts REMOTE`: fetches a database into the replica and prints, as JSON, the seconds that it took, the resident
 * memory after collection and its peak in KiB. A process of its own, so that memory is its own.
 */
const [remote] = process.argv.slice(2);
if (remote === undefined) throw new Error("usage: load.ts REMOTE");
const began = performance.now();
await using db = await openDatabase({ remote, schema, timeout: 120_000 });
const seconds = (performance.now() - began) / 1000;
const peak = kibibytes("VmHWM");
Bun.gc(true);
// The allocator gives pages back a little later, on a timer of its own.
await new Promise((resolve) => setTimeout(resolve, 1_500));
Bun.gc(true);
const { size } = db.table("Interface");
process.stdout.write(`${JSON.stringify({ seconds, rows: size, peak, rss: kibibytes("VmRSS") })}\n`);

function kibibytes(field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}
