import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  CancelledError,
  ClosedError,
  ConnectError,
  openDatabase,
  type Row,
  SchemaMismatchError,
  TimeoutError,
  UnknownDatabaseError,
} from "../src/mod.ts";
import { fixture, live, schema } from "./server.ts";

describe("a database", live, () => {
  test("holds every kind of value exactly as it was written, 64-bit integers too", async () => {
    await using f = await fixture();
    const uuid = await f.db.transact((tx) => {
      const part = tx.insert("Part", { label: 'ü\u{1F600} \\ " \n' });
      return tx.insert("Item", {
        name: "a",
        count: 9223372036854775807n,
        small: 7,
        ratio: 0.1,
        on: true,
        color: "green",
        tags: ["x", "y"],
        ids: [-9223372036854775808n, 9007199254740993n, 5],
        options: { k: "v", l: "" },
        weights: new Map([[1, 0.5]]),
        one: { a: "b" },
        parts: [part],
        serial: "s",
      });
    });
    const other = await f.open();
    for (const db of [f.db, other]) {
      const row = db.table("Item").get(uuid);
      assert.ok(row);
      assert.equal(row.count, 9223372036854775807n);
      assert.equal(row.small, 7);
      assert.equal(row.ratio, 0.1);
      assert.equal(row.on, true);
      assert.equal(row.color, "green");
      assert.deepEqual([...row.tags].sort(), ["x", "y"]);
      assert.deepEqual(new Set(row.ids), new Set([-9223372036854775808n, 9007199254740993n, 5]));
      assert.deepEqual([...row.options].sort(), [
        ["k", "v"],
        ["l", ""],
      ]);
      assert.deepEqual([...row.weights], [[1, 0.5]]);
      assert.deepEqual([...row.one], [["a", "b"]]);
      assert.equal(row.friend, undefined);
      const [part] = row.parts;
      assert.equal(part && db.table("Part").get(part)?.label, 'ü\u{1F600} \\ " \n');
    }
  });

  test("follows changes of another client, by differences of sets, maps and optional values", async () => {
    await using f = await fixture();
    const other = await f.open();
    const uuid = await f.db.transact((tx) =>
      tx.insert("Item", { name: "a", tags: ["x"], options: { a: "1", b: "2" }, one: { k: "1" } }),
    );
    const steps: Parameters<typeof f.db.transact>[0][] = [
      (tx) =>
        tx.mutate("Item", uuid, { tags: { insert: ["y", "z"] }, options: { delete: ["a"], set: { b: "3", c: "4" } } }),
      (tx) => tx.mutate("Item", uuid, { tags: { delete: ["x", "y"] }, count: { add: 5 } }),
      (tx) => tx.update("Item", uuid, { small: 1, one: { k: "2" }, friend: uuid }),
      (tx) => tx.update("Item", uuid, { small: 2, one: { l: "2" } }),
      (tx) => tx.update("Item", uuid, { small: undefined, one: {}, tags: [], friend: undefined }),
      (tx) => tx.mutate("Item", uuid, { small: { insert: [9] }, count: { subtract: 2, multiply: 3 } }),
    ];
    const plain = (row: Row | undefined) =>
      JSON.stringify(row, (_, v) => (v instanceof Map || v instanceof Set ? [...v].sort() : v));
    for (const step of steps) {
      await f.db.transact(step);
      const mine = f.db.table("Item").get(uuid);
      await other.waitFor((db) => plain({ ...db.table("Item").get(uuid) }) === plain({ ...mine }), { timeout: 5_000 });
      await using fresh = await f.open();
      assert.equal(plain({ ...fresh.table("Item").get(uuid) }), plain({ ...mine }));
    }
    const row = f.db.table("Item").get(uuid);
    assert.equal(row?.small, 9);
    assert.equal(row?.count, 9);
    assert.deepEqual([...(row?.options ?? [])].sort(), [
      ["b", "3"],
      ["c", "4"],
    ]);
  });

  test("has a transaction's change in the replica when the transaction resolves", async () => {
    await using f = await fixture();
    for (let i = 0; i < 50; i++) {
      const uuid = await f.db.transact((tx) => tx.insert("Item", { name: `n${i}` }));
      assert.equal(f.db.table("Item").find({ name: `n${i}` })?._uuid, uuid);
    }
    assert.equal(f.db.table("Item").size, 50);
    assert.equal(f.db.table("Item").filter((row) => row.name.endsWith("9")).length, 5);
  });

  test("shares frozen rows that nobody can change", async () => {
    await using f = await fixture();
    await f.db.transact((tx) => tx.insert("Item", { name: "a", tags: ["t"], options: { k: "v" } }));
    const row = f.db.table("Item").find({ name: "a" });
    assert.ok(row && Object.isFrozen(row));
    assert.throws(() => (row.tags as Set<string>).add("u"), TypeError);
    assert.throws(() => (row.options as Map<string, string>).clear(), TypeError);
    assert.equal(f.db.table("Item").find({ name: "a" }), row);
  });

  test("tells its subscribers each update once, after the replica has it", async () => {
    await using f = await fixture();
    const heard: string[] = [];
    using _ = f.db.subscribe((changes) => {
      for (const change of changes)
        if (change.table === "Item") heard.push(`${change.old?.name}>${change.new?.name}:${f.db.table("Item").size}`);
    });
    const uuid = await f.db.transact((tx) => tx.insert("Item", { name: "a" }));
    await f.db.transact((tx) => tx.update("Item", uuid, { name: "b" }));
    await f.db.transact((tx) => tx.update("Item", uuid, { name: "b" }));
    await f.db.transact((tx) => tx.delete("Item", uuid));
    assert.deepEqual(heard, ["undefined>a:1", "a>b:1", "b>undefined:0"]);
  });

  test("finds rows by index while they come, change and go", async () => {
    await using f = await fixture();
    const items = f.db.table("Item");
    assert.equal(items.find({ name: "a" }), undefined);
    const uuid = await f.db.transact((tx) => tx.insert("Item", { name: "a", count: 1 }));
    assert.equal(items.find({ name: "a", count: 1 })?._uuid, uuid);
    assert.equal(items.find({ name: "a", count: 2 }), undefined);
    await f.db.transact((tx) => tx.update("Item", uuid, { name: "b" }));
    assert.equal(items.find({ name: "a" }), undefined);
    assert.equal(items.find({ name: "b" })?._uuid, uuid);
    assert.equal(items.filter({ small: undefined }).length, 1);
    await f.db.transact((tx) => tx.delete("Item", uuid));
    assert.equal(items.find({ name: "b" }), undefined);
  });
});

describe("waiting", live, () => {
  test("for a state resolves with what the test found, or fails by its deadline", async () => {
    await using f = await fixture();
    const found = f.db.waitFor((db) => db.table("Item").find({ name: "late" }), { timeout: 5_000 });
    await f.db.transact((tx) => tx.insert("Item", { name: "late" }));
    assert.equal((await found).name, "late");
    await assert.rejects(
      f.db.waitFor(() => false, { timeout: 20 }),
      TimeoutError,
    );
    await assert.rejects(
      f.db.waitFor(() => false, { signal: AbortSignal.abort() }),
      CancelledError,
    );
    const forever = f.db.waitFor(() => false);
    await f.db.close();
    await assert.rejects(forever, ClosedError);
    await assert.rejects(
      f.db.transact((tx) => tx.insert("Item", {})),
      ClosedError,
    );
  });

  test("for a server that is not there ends with the reason", async () => {
    await assert.rejects(openDatabase({ remote: "unix:/nonexistent/sock", schema, timeout: 200 }), ConnectError);
    await using f = await fixture();
    const options = { remote: f.server.remote, schema, database: "Nothing", timeout: 200 };
    await assert.rejects(openDatabase(options), UnknownDatabaseError);
  });
});

describe("a monitor", live, () => {
  test("keeps the tables, columns and rows that were asked for", async () => {
    await using f = await fixture();
    await f.db.transact((tx) => {
      for (let i = 0; i < 10; i++) tx.insert("Item", { name: `n${i}`, count: i });
    });
    await using db = await openDatabase({
      remote: f.server.remote,
      schema,
      monitor: {
        Item: {
          columns: ["name", "count"],
          where: [
            ["count", "<", 3],
            ["name", "==", "n9"],
          ],
        },
      },
    });
    assert.deepEqual([...db.table("Item")].map((row) => row.name).sort(), ["n0", "n1", "n2", "n9"]);
    assert.deepEqual(Object.keys([...db.table("Item")][0] ?? {}), ["_uuid", "name", "count"]);
    assert.throws(() => db.table("Part"), SchemaMismatchError);
    // Guards speak of the monitored rows only: the others must not look like somebody's change.
    await db.transact(
      (tx) => {
        assert.equal(tx.filter("Item", (row) => row.count >= 0).length, 4);
        assert.equal(tx.find("Item", { name: "n5" }), undefined);
        tx.insert("Item", { name: "n10", count: 10 });
      },
      { timeout: 2_000 },
    );
    assert.throws(() => db.table("Item").find({ on: true }), SchemaMismatchError);
    const heard: number[] = [];
    using _ = db.subscribe((changes) => heard.push(changes.length));
    await db.setConditions({ Item: [["count", "==", 5]] });
    assert.deepEqual(
      [...db.table("Item")].map((row) => row.name),
      ["n5"],
    );
    assert.deepEqual(heard, [5]);
    await db.setConditions({ Item: true });
    assert.equal(db.table("Item").size, 11);
    await f.server.kill();
    await f.server.start();
    await db.setConditions({ Item: [["name", "==", "n1"]] });
    await db.waitFor(({ connected, table }) => connected && table.call(db, "Item").size === 1, { timeout: 5_000 });
  });
});
