import { spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@switchyard/base";
import { openDatabase } from "../src/mod.ts";
import { schema } from "../tests/open_vswitch.gen.ts";

export const SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema";

/** An ovsdb-server of our own, gone with its files when disposed. */
export interface BenchServer extends AsyncDisposable {
  readonly remote: string;
  readonly socket: string;
}

/** Starts an ovsdb-server with an empty Open_vSwitch database. */
export async function startBenchServer(): Promise<BenchServer> {
  const directory = await mkdtemp(join(tmpdir(), "ovsdb-bench-"));
  const database = join(directory, "db");
  const socket = join(directory, "sock");
  await run(["ovsdb-tool", "create", database, SCHEMA]);
  const appeared = waitForFile(directory, socket);
  const child = spawn(
    "ovsdb-server",
    [
      database,
      `--remote=punix:${socket}`,
      `--unixctl=${join(directory, "ctl")}`,
      "-vfile:off",
      "-vsyslog:off",
      "-vconsole:off",
    ],
    { stdio: "ignore" },
  );
  await appeared;
  return {
    remote: `unix:${socket}`,
    socket,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Fills a database with `count` interfaces, each on a port of its own, as a large integration bridge has them. */
export async function fill(remote: string, count: number): Promise<void> {
  await using db = await openDatabase({ remote, schema, monitor: { Open_vSwitch: true, Bridge: ["name"] } });
  const bridge = await db.transact((tx) => {
    const row = tx.insert("Bridge", { name: "br-int" });
    tx.insert("Open_vSwitch", { bridges: [row] });
    return row;
  });
  const batch = 1_000;
  for (let first = 0; first < count; first += batch) {
    await db.transact((tx) => {
      const ports = [];
      for (let i = first; i < Math.min(first + batch, count); i++) {
        const hex = i.toString(16).padStart(6, "0");
        const name = `tap${hex}`;
        const mac = `02:00:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`;
        const port = tx.insert("Interface", {
          name,
          external_ids: { "iface-id": `lsp-${hex}`, "attached-mac": mac, "iface-status": "active" },
          ofport: i + 1,
        });
        ports.push(tx.insert("Port", { name, interfaces: [port] }));
      }
      tx.mutate("Bridge", bridge, { ports: { insert: ports } });
    });
  }
}

async function waitForFile(directory: string, path: string): Promise<void> {
  using stop = new DisposableStack();
  await new Promise<void>((resolve) => {
    const watcher = watch(directory, () => access(path).then(resolve, () => {}));
    stop.defer(() => watcher.close());
    access(path).then(resolve, () => {});
  });
}
