import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openDatabase, SchemaMismatchError } from "../src/mod.ts";
import { document, folder, live, next, Resources, schema, startServer } from "./server.ts";

const { color: _, small, options, ...rest } = document.tables.Item.columns;
/** Without a table, without a column, with a column of another type, and with things that we do not know. */
const other = {
  name: "Test",
  version: "2.0.0",
  tables: {
    Root: document.tables.Root,
    Item: {
      ...document.tables.Item,
      columns: {
        ...rest,
        small: { type: { ...small.type, max: 5 } },
        options,
        parts: { type: "string" },
        novel: { type: "string" },
      },
    },
    Novel: { columns: { name: { type: "string" } }, isRoot: true },
  },
};

/** As ours, but older. */
const older = {
  ...document,
  version: "0.9.0",
  tables: { ...document.tables, Item: { ...document.tables.Item, columns: { ...rest, small, options } } },
};

describe("a server whose schema is older or newer than ours", live, () => {
  test("is served as far as both know it, and the rest is told", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path, other));
    const db = stack.use(await openDatabase({ remote: server.remote, schema }));
    assert.deepEqual(db.differences, {
      version: "2.0.0",
      missingTables: ["Part"],
      missingColumns: ["Item.color"],
      changedColumns: ["Item.small", "Item.parts"],
    });
    const uuid = await db.transact((tx) => tx.insert("Item", { name: "a", options: { k: "v" } }));
    const row = db.table("Item").get(uuid);
    assert.equal(row?.options.get("k"), "v");
    assert.equal(row?.color, "");
    assert.equal(row?.small, undefined);
    assert.equal(row?.parts.size, 0);
    assert.equal(db.table("Part").size, 0);
    for (const build of [
      (tx: Parameters<Parameters<typeof db.transact>[0]>[0]) => tx.update("Item", uuid, { color: "red" }),
      (tx: Parameters<Parameters<typeof db.transact>[0]>[0]) => void tx.insert("Part", { label: "p" }),
      (tx: Parameters<Parameters<typeof db.transact>[0]>[0]) => tx.mutate("Item", uuid, { small: { add: 1 } }),
    ])
      await assert.rejects(db.transact(build), SchemaMismatchError);
    // What the server lacks cannot change either: a guard on it has nothing to say.
    await db.transact((tx) => {
      const seen = tx.get("Item", uuid);
      assert.equal(seen?.color, "");
      tx.update("Item", uuid, { count: (seen?.parts.size ?? 0) + 1 });
    });
    assert.equal(db.table("Item").get(uuid)?.count, 1);
  });

  test("may convert its database while we are connected", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path, older));
    const db = stack.use(await openDatabase({ remote: server.remote, schema }));
    const uuid = await db.transact((tx) => tx.insert("Item", { name: "a" }));
    const causes: Error[] = [];
    db.on("disconnected", (cause) => causes.push(cause));
    const told = next((listener: (differences: typeof db.differences) => void) => db.on("schema", listener));
    const file = join(path, "new.ovsschema");
    writeFileSync(file, JSON.stringify(document));
    execFileSync("ovsdb-client", ["convert", server.remote, file], { stdio: "ignore" });
    assert.deepEqual((await told).missingColumns, []);
    await db.transact((tx) => tx.update("Item", uuid, { color: "red", small: 5 }), { timeout: 5_000 });
    assert.equal(db.table("Item").get(uuid)?.color, "red");
    assert.deepEqual(
      causes.map((cause) => cause.message),
      ["the server ended the monitor"],
    );
  });

  test("may take the database away and bring it again", async () => {
    await using stack = new Resources();
    const { path } = stack.use(folder());
    const server = stack.use(await startServer(path));
    const db = stack.use(await openDatabase({ remote: server.remote, schema }));
    await db.transact((tx) => tx.insert("Item", { name: "a" }));
    server.appctl("ovsdb-server/remove-db", "Test");
    const waiting = db.transact((tx) => tx.insert("Item", { name: "b" }), { timeout: 10_000 });
    server.appctl("ovsdb-server/add-db", server.database);
    await waiting;
    assert.equal(db.table("Item").size, 2);
  });
});
