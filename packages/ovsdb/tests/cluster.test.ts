import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { OutcomeUnknownError, openDatabase, UnknownDatabaseError } from "../src/mod.ts";
import { document, fileAppears, folder, freePort, live, next, Resources, schema } from "./server.ts";

/** Three servers of one Raft cluster on the loopback. */
async function cluster(directory: string) {
  const stack = new Resources();
  const file = join(directory, "schema");
  writeFileSync(file, JSON.stringify(document));
  const ports = [await freePort(), await freePort(), await freePort()];
  const children = new Map<string, ChildProcess>();
  const [first] = ports;
  for (const [i, port] of ports.entries()) {
    const database = join(directory, `db${i}`);
    const local = `tcp:127.0.0.1:${port}`;
    execFileSync(
      "ovsdb-tool",
      i === 0
        ? ["--election-timer=1000", "create-cluster", database, file, local]
        : ["join-cluster", database, document.name, local, `tcp:127.0.0.1:${first}`],
    );
    const socket = join(directory, `s${i}`);
    const appeared = fileAppears(directory, socket);
    const child = spawn(
      "ovsdb-server",
      [
        database,
        `--remote=punix:${socket}`,
        `--unixctl=${join(directory, `ctl${i}`)}`,
        "-vconsole:off",
        "-vsyslog:off",
      ],
      { stdio: "ignore" },
    );
    children.set(`unix:${socket}`, child);
    stack.defer(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    });
    await appeared;
  }
  // A server that has not joined yet is no part of a majority: each must have the database before one may die.
  for (const remote of children.keys()) {
    const joined = await openDatabase({ remote, schema, leaderOnly: false, timeout: 30_000 });
    await joined.close();
  }
  return { remotes: [...children.keys()], children, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("a cluster of three servers", live, () => {
  test("is followed on from its leader's death, without telling again what was known", {
    timeout: 60_000,
  }, async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const servers = stack.use(await cluster(path));
    const remote = servers.remotes.join(",");
    const db = stack.use(await openDatabase({ remote, schema, timeout: 20_000 }));
    const names = Array.from({ length: 20 }, (_, i) => `n${i}`);
    await db.transact((tx) => {
      for (const name of names) tx.insert("Item", { name });
    });
    const before = new Map([...db.table("Item")].map((row) => [row.name, row]));
    const heard: number[] = [];
    stack.use(db.subscribe((changes) => heard.push(changes.length)));
    // One who does not insist on the leader must see it all as well.
    const content = stack.use(await openDatabase({ remote, schema, leaderOnly: false, timeout: 20_000 }));
    await content.waitFor((now) => now.table("Item").size === names.length, { timeout: 10_000 });
    await db.waitFor((now) => now.connected, { timeout: 20_000 });
    const leader = db.remote ?? "";
    const back = next<undefined>((listener) => db.on("reconnected", listener));
    servers.children.get(leader)?.kill("SIGKILL");
    await back;
    assert.notEqual(db.remote, leader);
    assert.deepEqual(heard, []);
    for (const row of db.table("Item")) assert.equal(before.get(row.name), row);
    // Its outcome may be unknown when yet another election comes in between; the name tells then.
    await db
      .transact((tx) => {
        if (tx.find("Item", { name: "after" }) === undefined) tx.insert("Item", { name: "after" });
      })
      .catch((error) => assert.ok(error instanceof OutcomeUnknownError, String(error)));
    await db.waitFor((now) => now.table("Item").find({ name: "after" }), { timeout: 10_000 });
    await content.waitFor((now) => now.table("Item").find({ name: "after" }), { timeout: 10_000 });
  });

  test("is not mistaken for another of the same name", { timeout: 30_000 }, async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const servers = stack.use(await cluster(path));
    const options = { remote: servers.remotes.join(","), schema, clusterId: "00000000-0000-4000-8000-000000000000" };
    await assert.rejects(openDatabase({ ...options, timeout: 1_500 }), UnknownDatabaseError);
  });
});
