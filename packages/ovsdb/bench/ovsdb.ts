import { once } from "node:events";
import { existsSync } from "node:fs";
import * as net from "node:net";
import { fileURLToPath } from "node:url";
import { run } from "@switchyard/base";
import { Framer } from "../src/framer.ts";
import { openDatabase, type Uuid } from "../src/mod.ts";
import { schema } from "../tests/open_vswitch.gen.ts";
import { type BenchServer, fill, SCHEMA, startBenchServer } from "./server.ts";

/** One figure, with what it was measured against in the same run. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The same work done the other way. */
  readonly baseline?: number;
  /** `value / baseline`, or the other way round where less is better: more is always better. */
  readonly ratio?: number;
  /** What `ratio` must reach. */
  readonly target?: number;
}

interface Load {
  readonly seconds: number;
  readonly rows: number;
  readonly peak: number;
  readonly rss: number;
}

const INTERFACES = 41_000;
const TRANSACTIONS = 1_000;
const WARM_UP = 300;
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Measures the client beside Python's IDL and beside a bare socket, in about half a minute. */
export async function bench(): Promise<Figure[]> {
  return [...(await transactions()), ...(await snapshot())];
}

/** A snapshot of 41,000 interfaces: until it is in the replica, and what it costs to keep. */
async function snapshot(): Promise<Figure[]> {
  await using server = await startBenchServer();
  await fill(server.remote, INTERFACES);
  const python = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
  const limit = { timeout: 300_000 };
  const runtime: [string, ...string[]] = [process.execPath, here("load.ts"), server.remote];
  const ours = parse(await run(runtime, limit));
  const theirs = parse(await run([python, here("load.py"), server.remote, SCHEMA], limit));
  const less = (name: string, unit: string, value: number, baseline: number, target: number): Figure => ({
    name,
    value,
    unit,
    baseline,
    ratio: baseline / value,
    target,
  });
  const what = `${INTERFACES} interfaces`;
  return [
    less(`${what} in the replica`, "s", ours.seconds, theirs.seconds, 5),
    less(`${what}: memory after collection`, "KiB", ours.rss, theirs.rss, 3),
    less(`${what}: memory at the peak`, "KiB", ours.peak, theirs.peak, 2),
  ];
}

function parse(text: string): Load {
  const load = JSON.parse(text) as Load;
  if (load.rows !== INTERFACES) throw new Error(`${load.rows} of ${INTERFACES} interfaces were loaded`);
  return load;
}

/** Transactions of one row, one after the other: guarded ones of ours, and those of a client that only sends them. */
async function transactions(): Promise<Figure[]> {
  await using server = await startBenchServer();
  await fill(server.remote, 10);
  const uuid = await portOf(server);
  // In turns, and the best of each: a busy moment of the machine must not count for or against either.
  let ours = Number.POSITIVE_INFINITY;
  let bare = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 8; round++) {
    ours = Math.min(ours, await guarded(server, uuid, TRANSACTIONS));
    bare = Math.min(bare, await plain(server, uuid, TRANSACTIONS));
  }
  const value = (TRANSACTIONS / ours) * 1000;
  const baseline = (TRANSACTIONS / bare) * 1000;
  return [{ name: "guarded one-row transactions", value, unit: "1/s", baseline, ratio: value / baseline, target: 0.5 }];
}

async function portOf(server: BenchServer): Promise<Uuid> {
  await using db = await openDatabase({ remote: server.remote, schema, monitor: { Port: ["name"] } });
  const port = db.table("Port").find({ name: "tap000000" });
  if (port === undefined) throw new Error("the port is not there");
  return port._uuid;
}

/** Milliseconds for `count` transactions that read a row, guard what they read and write it. */
async function guarded(server: BenchServer, uuid: Uuid, count: number): Promise<number> {
  await using db = await openDatabase({ remote: server.remote, schema });
  const increment = () =>
    db.transact((tx) => {
      const row = tx.get("Port", uuid);
      tx.update("Port", uuid, { tag: ((row?.tag ?? 0) + 1) % 4096 });
    });
  for (let i = 0; i < WARM_UP; i++) await increment();
  const began = performance.now();
  for (let i = 0; i < count; i++) await increment();
  return performance.now() - began;
}

/** Milliseconds for the same transactions by a client that knows nothing but JSON and a socket, and what to send. */
async function plain(server: BenchServer, uuid: Uuid, count: number): Promise<number> {
  const socket = net.connect(server.socket);
  await once(socket, "connect");
  const framer = new Framer();
  let answered = () => {};
  socket.on("data", (chunk: Buffer) => {
    for (const _ of framer.push(chunk)) answered();
  });
  let tag = 0;
  const send = (id: number, operation: object) =>
    new Promise<void>((resolve) => {
      answered = resolve;
      socket.write(JSON.stringify({ id, method: "transact", params: ["Open_vSwitch", operation] }));
    });
  const update = (id: number) => {
    const where = [
      ["_uuid", "==", ["uuid", uuid]],
      ["tag", "==", tag],
    ];
    tag = (tag + 1) % 4096;
    return send(id, { op: "update", table: "Port", where, row: { tag } });
  };
  await send(0, { op: "update", table: "Port", where: [["_uuid", "==", ["uuid", uuid]]], row: { tag } });
  for (let i = 0; i < WARM_UP; i++) await update(i);
  const began = performance.now();
  for (let i = 0; i < count; i++) await update(i);
  const took = performance.now() - began;
  socket.destroy();
  return took;
}

if (import.meta.main) {
  for (const { name, value, unit, baseline, ratio, target } of await bench())
    process.stdout.write(
      `${name}: ${value.toFixed(2)} ${unit}, baseline ${baseline?.toFixed(2)}: ratio ${ratio?.toFixed(2)} (target ${target})\n`,
    );
}
