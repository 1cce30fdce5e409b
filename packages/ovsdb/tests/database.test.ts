import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  BadValueError,
  CancelledError,
  ClosedError,
  ConnectError,
  ConstraintViolationError,
  NoSuchRowError,
  openDatabase,
  ReferentialIntegrityError,
  type Row,
  SchemaMismatchError,
  TimeoutError,
  UnknownDatabaseError,
  UnreferencedRowError,
} from "../src/mod.ts";
import { folder, live, Resources, schema, startServer } from "./server.ts";

async function fixture() {
  const stack = new Resources();
  const { path } = stack.use(folder());
  const server = stack.use(await startServer(path));
  const open = async () => stack.use(await openDatabase({ remote: server.remote, schema, timeout: 5_000 }));
  const db = await open();
  return { server, db, open, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

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
