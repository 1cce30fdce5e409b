import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  ConnectError,
  type Database,
  OutcomeUnknownError,
  openDatabase,
  ServerIoError,
  TimeoutError,
} from "../src/mod.ts";
import {
  createDatabase,
  folder,
  live,
  next,
  Resources,
  schema,
  startServer,
  TestServer,
  type TestTables,
} from "./server.ts";

const disconnected = (db: Database<TestTables>) =>
  next((listener: (cause: Error) => void) => db.on("disconnected", listener));
const reconnected = (db: Database<TestTables>) => next<undefined>((listener) => db.on("reconnected", listener));

describe("a server that is killed and started again", live, () => {
  test("is followed again, and only what really changed meanwhile is told", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const db = stack.use(await openDatabase({ remote: server.remote, schema }));
    const [kept, changed, gone] = await db.transact((tx) =>
      ["kept", "changed", "gone"].map((name) => tx.insert("Item", { name, tags: ["a", "b"], options: { k: "v" } })),
    );
    assert.ok(kept && changed && gone);
    const row = db.table("Item").get(kept);
    const heard: string[] = [];
    stack.use(
      db.subscribe((changes) => {
        for (const change of changes)
          if (change.table === "Item") heard.push(`${change.old?.name ?? ""}>${change.new?.name ?? ""}`);
      }),
    );
    const lost = disconnected(db);
    await server.kill();
    await lost;
    assert.equal(db.connected, false);
    assert.equal(db.table("Item").size, 3);
    // Somebody else changes the database while we cannot see it.
    const back = reconnected(db);
    const elsewhere = stack.use(new TestServer(path, server.database, [], "elsewhere"));
    await elsewhere.start();
    const other = await openDatabase({ remote: elsewhere.remote, schema });
    await other.transact((tx) => {
      tx.update("Item", changed, { name: "anew" });
      tx.delete("Item", gone);
      tx.insert("Item", { name: "more" });
    });
    await other.close();
    await elsewhere.kill();
    await server.start();
    await back;
    assert.deepEqual(heard.sort(), [">more", "changed>anew", "gone>"]);
    assert.equal(db.table("Item").get(kept), row);
    assert.equal(db.table("Item").find({ name: "anew" })?._uuid, changed);
    await db.transact((tx) => tx.insert("Item", { name: "after" }));
  });

  test("takes up transactions that were begun while it was away", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const db = stack.use(await openDatabase({ remote: server.remote, schema }));
    const lost = disconnected(db);
    await server.kill();
    await lost;
    await assert.rejects(
      db.transact((tx) => tx.insert("Item", { name: "too early" }), { timeout: 50 }),
      TimeoutError,
    );
    const committed = db.transact((tx) => tx.insert("Item", { name: "patient" }));
    await server.start();
    await committed;
    assert.deepEqual(
      [...db.table("Item")].map((row) => row.name),
      ["patient"],
    );
  });

  test("is reached by a client that was opened first", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(new TestServer(path, createDatabase(path)));
    const opening = openDatabase({ remote: server.remote, schema });
    await server.start();
    stack.use(await opening);
  });
});

describe("a connection that breaks with a transaction on its way", live, () => {
  test("leaves its outcome unknown, and says so", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const db = stack.use(await openDatabase({ remote: server.remote, schema }));
    server.child.kill("SIGSTOP");
    const sent = db.transact((tx) => tx.insert("Item", { name: "lost" }));
    const checked = assert.rejects(sent, OutcomeUnknownError);
    await server.kill();
    await checked;
  });

  test("does so too when the caller gives up on a server that hangs", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const db = stack.use(await openDatabase({ remote: server.remote, schema }));
    server.child.kill("SIGSTOP");
    await assert.rejects(
      db.transact((tx) => tx.insert("Item", { name: "lost" }), { timeout: 50 }),
      OutcomeUnknownError,
    );
    server.child.kill("SIGCONT");
    await db.waitFor((now) => now.table("Item").find({ name: "lost" }), { timeout: 5_000 });
  });
});

describe("a server that hangs", live, () => {
  test("is noticed by probes, and reached again when it wakes", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const db = stack.use(
      await openDatabase({ remote: server.remote, schema, probeInterval: 100, connectTimeout: 300 }),
    );
    const lost = disconnected(db);
    const back = reconnected(db);
    server.child.kill("SIGSTOP");
    assert.match((await lost).message, /silent/);
    server.child.kill("SIGCONT");
    await back;
    await db.transact((tx) => tx.insert("Item", { name: "a" }));
  });

  test("before its first word does not hold up the search for another", async () => {
    await using stack = new Resources();
    const first = stack.use(folder());
    const second = stack.use(folder());
    const hanging = stack.use(await startServer(first.path));
    const healthy = stack.use(await startServer(second.path));
    hanging.child.kill("SIGSTOP");
    const remote = `${hanging.remote},${healthy.remote}`;
    const db = stack.use(await openDatabase({ remote, schema, shuffle: false, probeInterval: 100, timeout: 10_000 }));
    assert.equal(db.remote, healthy.remote);
  });

  test("is not suspected because we were busy ourselves", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const db = stack.use(await openDatabase({ remote: server.remote, schema, probeInterval: 40 }));
    const causes: Error[] = [];
    db.on("disconnected", (cause) => causes.push(cause));
    const until = performance.now() + 600;
    while (performance.now() < until) {
      const busy = performance.now() + 150;
      while (performance.now() < busy);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await db.transact((tx) => tx.insert("Item", { name: "a" }));
    assert.deepEqual(causes, []);
  });
});

describe("a peer that talks nonsense", live, () => {
  test("is left, and the next remote taken", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const liar = join(path, "liar.sock");
    const callers = new Set<Socket>();
    const talker = createServer((socket) => {
      callers.add(socket);
      socket.on("error", () => {});
      socket.write('{"id":0,"result":{},"error"');
      socket.write(":null}HTTP/1.1 200 OK\r\n");
    }).listen(liar);
    stack.defer(() => {
      for (const caller of callers) caller.destroy();
      talker.close();
    });
    const db = stack.use(
      await openDatabase({ remote: `unix:${liar},${server.remote}`, schema, shuffle: false, timeout: 5_000 }),
    );
    assert.equal(db.remote, server.remote);
    await assert.rejects(openDatabase({ remote: `unix:${liar}`, schema, timeout: 100 }), /byte 0x48|not asked/);
    await assert.rejects(openDatabase({ remote: `unix:${path}/none`, schema, timeout: 100 }), ConnectError);
  });
});

const mayMount = process.getuid?.() === 0;
describe("a full disk", { ...live, skip: live.skip || (mayMount ? false : "mounting needs root") }, () => {
  test("refuses the transaction as the server's I/O error, and the next one works once there is room", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const disk = join(path, "disk");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]);
    stack.defer(() => void execFileSync("umount", ["-l", disk]));
    const server = stack.use(new TestServer(path, createDatabase(disk)));
    await server.start();
    const db = stack.use(await openDatabase({ remote: server.remote, schema }));
    const text = "x".repeat(20_000);
    let refusal: unknown;
    for (let i = 0; i < 40 && refusal === undefined; i++)
      refusal = await db
        .transact((tx) => tx.insert("Item", { name: `${i}${text}` }))
        .then(
          () => undefined,
          (error) => error,
        );
    assert.ok(refusal instanceof ServerIoError, String(refusal));
    const { size } = db.table("Item");
    assert.ok(size > 0 && existsSync(server.database));
    execFileSync("mount", ["-o", "remount,size=4m", disk]);
    await db.transact((tx) => tx.insert("Item", { name: "room again" }));
    assert.equal(db.table("Item").size, size + 1);
    writeFileSync(join(disk, "room"), "");
  });
});
