import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  BadValueError,
  CancelledError,
  ConstraintViolationError,
  NoSuchRowError,
  openDatabase,
  ReferentialIntegrityError,
  SchemaMismatchError,
  TimeoutError,
  UnreferencedRowError,
} from "../src/mod.ts";
import { fixture, live, schema } from "./server.ts";

describe("a transaction", live, () => {
  test("is built again when another client changed what it had read", async () => {
    await using f = await fixture();
    const other = await f.open();
    const uuid = await f.db.transact((tx) => tx.insert("Item", { name: "a", count: 0 }));
    await other.waitFor((db) => db.table("Item").get(uuid));
    const add = (db: typeof other) =>
      db.transact((tx) => {
        const row = tx.get("Item", uuid);
        tx.update("Item", uuid, { count: Number(row?.count) + 1 });
      });
    const rounds = 40;
    await Promise.all(Array.from({ length: rounds }, (_, i) => add(i % 2 === 0 ? f.db : other)));
    await f.db.waitFor((db) => db.table("Item").get(uuid)?.count === rounds, { timeout: 5_000 });
    assert.equal(f.db.table("Item").get(uuid)?.count, rounds);
  });

  test("does not conflict over columns that it did not read", async () => {
    await using f = await fixture();
    const other = await f.open();
    const uuid = await f.db.transact((tx) => tx.insert("Item", { name: "a", color: "red" }));
    await other.waitFor((db) => db.table("Item").get(uuid));
    let built = 0;
    await other.transact(async (tx) => {
      built++;
      assert.equal(tx.get("Item", uuid)?.color, "red");
      await f.db.transact((mine) => mine.update("Item", uuid, { count: built }));
      tx.update("Item", uuid, { small: 1 });
    });
    assert.equal(built, 1);
  });

  test("sees that a row came which its search or its look at the table had not found", async () => {
    await using f = await fixture();
    const other = await f.open();
    for (const look of [
      (tx: Parameters<Parameters<typeof other.transact>[0]>[0], name: string) =>
        tx.find("Item", { name }) !== undefined,
      (tx: Parameters<Parameters<typeof other.transact>[0]>[0], name: string) =>
        tx.filter("Item", (row) => row.name === name).length > 0,
    ]) {
      const name = `n${f.db.table("Item").size}`;
      let built = 0;
      await other.transact(async (tx) => {
        built++;
        if (look(tx, name)) return;
        if (built === 1) await f.db.transact((mine) => mine.insert("Item", { name }));
        tx.insert("Item", { name: `${name}-second` });
      });
      assert.equal(built, 2);
      assert.equal(f.db.table("Item").find({ name: `${name}-second` }), undefined);
    }
  });

  test("sees that a row found by a unique name has lost it, or is gone", async () => {
    await using f = await fixture();
    const other = await f.open();
    for (const steal of ["rename", "delete"] as const) {
      const uuid = await f.db.transact((tx) => tx.insert("Item", { name: "wanted", count: 1 }));
      await other.waitFor((db) => db.table("Item").get(uuid));
      let built = 0;
      await other.transact(async (tx) => {
        built++;
        const row = tx.find("Item", { name: "wanted" });
        if (built === 1)
          await f.db.transact((mine) => {
            if (steal === "rename") mine.update("Item", uuid, { name: "stolen" });
            else mine.delete("Item", uuid);
          });
        if (row !== undefined) tx.update("Item", row._uuid, { on: true });
      });
      assert.equal(built, 2);
      assert.notEqual(f.db.table("Item").get(uuid)?.on, true);
    }
  });

  test("that wrote nothing because its row had changed is built again", async () => {
    await using f = await fixture();
    const other = await f.open();
    const uuid = await f.db.transact((tx) => tx.insert("Item", { name: "a", count: 1, tags: ["x"] }));
    await other.waitFor((db) => db.table("Item").get(uuid));
    const seen: unknown[] = [];
    await other.transact(async (tx) => {
      const row = tx.get("Item", uuid);
      seen.push([row?.count, [...(row?.tags ?? [])].sort()]);
      if (seen.length === 1) await f.db.transact((mine) => mine.mutate("Item", uuid, { tags: { insert: ["y"] } }));
      tx.mutate("Item", uuid, { count: { add: row?.tags.size ?? 0 } });
    });
    assert.deepEqual(seen, [
      [1, ["x"]],
      [1, ["x", "y"]],
    ]);
    assert.equal(other.table("Item").get(uuid)?.count, 3);
  });

  test("lets only one of two clients make the one row of a table", async () => {
    await using f = await fixture();
    const other = await f.open();
    const make = (db: typeof other) =>
      db.transact((tx) => (tx.single("Root") === undefined ? tx.insert("Root", { next_cfg: 1 }) : undefined));
    const made = await Promise.all([make(f.db), make(other), make(f.db)]);
    assert.equal(made.filter((uuid) => uuid !== undefined).length, 1);
    await other.waitFor((db) => db.table("Root").size === 1);
  });

  test("sees its own changes", async () => {
    await using f = await fixture();
    const old = await f.db.transact((tx) => tx.insert("Item", { name: "old", tags: ["a"] }));
    await f.db.transact((tx) => {
      const made = tx.insert("Item", { name: "new", small: 1 });
      assert.equal(tx.find("Item", { name: "new" })?._uuid, made);
      tx.update("Item", made, { small: 2 });
      assert.equal(tx.get("Item", made)?.small, 2);
      tx.mutate("Item", old, { tags: { insert: ["b"] }, count: { add: 3 }, options: { set: { k: "v" } } });
      assert.deepEqual([...(tx.get("Item", old)?.tags ?? [])], ["a", "b"]);
      assert.equal(tx.get("Item", old)?.options.get("k"), "v");
      tx.update("Item", old, { name: "older" });
      assert.equal(tx.find("Item", { name: "old" }), undefined);
      assert.equal(tx.find("Item", { name: "older" })?._uuid, old);
      assert.equal([...tx.rows("Item")].length, 2);
      tx.delete("Item", old);
      assert.equal(tx.get("Item", old), undefined);
      assert.equal(tx.filter("Item", (row) => row.name !== "").length, 1);
      assert.throws(() => tx.update("Item", old, { name: "x" }), NoSuchRowError);
    });
    assert.deepEqual(
      [...f.db.table("Item")].map((row) => [row.name, row.small]),
      [["new", 2]],
    );
  });

  test("tells an incremented value once it is committed", async () => {
    await using f = await fixture();
    const root = await f.db.transact((tx) => tx.insert("Root", { next_cfg: 41 }));
    const value = await f.db.transact((tx) => tx.increment("Root", root, "next_cfg"));
    assert.equal(value(), 42);
  });

  test("works with servers that choose uuids themselves", async () => {
    await using f = await fixture();
    await using db = await openDatabase({ remote: f.server.remote, schema, clientUuids: false });
    const { part, item, uuidOf } = await db.transact((tx) => {
      const part = tx.insert("Part", { label: "p" });
      const item = tx.insert("Item", { name: "a", parts: [part] });
      tx.update("Item", item, { friend: item });
      return { part, item, uuidOf: tx.uuidOf.bind(tx) };
    });
    const row = db.table("Item").get(uuidOf(item));
    assert.notEqual(uuidOf(item), item);
    assert.equal(row?.friend, uuidOf(item));
    assert.deepEqual([...(row?.parts ?? [])], [uuidOf(part)]);
  });

  test("that is aborted has no effect, but is checked", async () => {
    await using f = await fixture();
    await f.db.transact((tx) => {
      tx.insert("Item", { name: "a" });
      tx.abort();
    });
    assert.equal(f.db.table("Item").size, 0);
  });

  test("commits durably and with a comment", async () => {
    await using f = await fixture();
    await f.db.transact((tx) => tx.insert("Item", { name: "a" }), { durable: true, comment: "made by a test" });
    assert.equal(f.db.table("Item").size, 1);
  });

  test("is refused with the failure's own class", async () => {
    await using f = await fixture();
    const uuid = await f.db.transact((tx) => tx.insert("Item", { name: "a", serial: "1" }));
    const nobody = "00000000-0000-4000-8000-000000000000" as typeof uuid;
    const refused = async (
      build: Parameters<typeof f.db.transact>[0],
      kind: abstract new (...args: never[]) => Error,
    ) => {
      const error = await f.db.transact(build).then(
        () => "committed",
        (refusal: unknown) => refusal,
      );
      assert.ok(error instanceof kind, `${error} is no ${kind.name}`);
    };
    await refused((tx) => tx.insert("Item", { name: "a" }), ConstraintViolationError);
    await refused((tx) => tx.insert("Item", { small: 101 }), BadValueError);
    await refused((tx) => tx.insert("Item", { small: 0.5 }), BadValueError);
    await refused((tx) => tx.insert("Item", { name: "nul\0" }), BadValueError);
    await refused((tx) => tx.update("Item", uuid, { serial: "2" }), BadValueError);
    await refused((tx) => tx.insert("Part", { label: "alone" }), UnreferencedRowError);
    await refused((tx) => tx.update("Item", uuid, { parts: [nobody] }), ReferentialIntegrityError);
    await refused((tx) => tx.update("Item", nobody, { on: true }), NoSuchRowError);
    await refused((tx) => tx.insert("Item", { wrong: 1 } as object), SchemaMismatchError);
    await refused(() => {
      throw new RangeError("the builder's own");
    }, RangeError);
    assert.equal(f.db.table("Item").size, 1);
  });

  test("of raw operations can be cancelled while the server waits", async () => {
    await using f = await fixture();
    const abort = new AbortController();
    const wait = { op: "wait", table: "Item", where: [], columns: ["name"], until: "!=", rows: [] } as const;
    const waiting = f.db.execute([wait], { signal: abort.signal });
    await f.db.transact((tx) => tx.comment("the server has read the wait when it answers this"));
    abort.abort(new Error("enough"));
    await assert.rejects(
      waiting,
      (error: Error) => error instanceof CancelledError && (error.cause as Error).message === "enough",
    );
    await assert.rejects(f.db.execute([wait], { timeout: 50 }), TimeoutError);
    await f.db.transact((tx) => tx.insert("Item", { name: "still alive" }));
  });
});
