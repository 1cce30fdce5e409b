import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BadLockError, NotOwnerError, openDatabase, TimeoutError } from "../src/mod.ts";
import { folder, live, Resources, schema, startServer } from "./server.ts";

describe("a lock", live, () => {
  test("passes from its holder to the next in line, and guards transactions", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const first = stack.use(await openDatabase({ remote: server.remote, schema }));
    const second = stack.use(await openDatabase({ remote: server.remote, schema }));
    const mine = first.lock("work");
    await mine.acquired({ timeout: 2_000 });
    const theirs = second.lock("work");
    await assert.rejects(theirs.acquired({ timeout: 50 }), TimeoutError);
    assert.equal(theirs.held, false);
    await first.transact((tx) => tx.insert("Item", { name: "a" }), { lock: mine });
    await assert.rejects(
      second.transact((tx) => tx.insert("Item", { name: "b" }), { lock: "work" }),
      NotOwnerError,
    );
    assert.throws(() => first.lock("work"), BadLockError);
    assert.throws(() => first.lock("not an id"), BadLockError);
    await mine.release();
    await theirs.acquired({ timeout: 2_000 });
    await second.transact((tx) => tx.insert("Item", { name: "b" }), { lock: theirs });
    await using again = first.lock("work");
    assert.equal(again.held, false);
  });

  test("that is stolen tells its holder", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const first = stack.use(await openDatabase({ remote: server.remote, schema }));
    const second = stack.use(await openDatabase({ remote: server.remote, schema }));
    const mine = first.lock("work");
    await mine.acquired({ timeout: 2_000 });
    const lost = new Promise<void>((resolve) => void mine.subscribe((held) => (held ? undefined : resolve())));
    const theirs = second.lock("work", { steal: true });
    await theirs.acquired({ timeout: 2_000 });
    await lost;
    assert.equal(mine.held, false);
  });

  test("is lost with the connection and asked for again on the next", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const db = stack.use(await openDatabase({ remote: server.remote, schema }));
    const lock = db.lock("work");
    await lock.acquired({ timeout: 2_000 });
    const lost = new Promise<void>((resolve) => void lock.subscribe((held) => (held ? undefined : resolve())));
    await server.kill();
    await lost;
    await server.start();
    await lock.acquired({ timeout: 5_000 });
    await db.transact((tx) => tx.insert("Item", { name: "a" }), { lock });
  });
});
