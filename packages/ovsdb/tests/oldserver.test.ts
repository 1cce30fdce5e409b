import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Framer } from "../src/framer.ts";
import { isObject, stringifyJson } from "../src/json.ts";
import { openDatabase, RequestRefusedError } from "../src/mod.ts";
import { folder, live, Resources, schema, startServer } from "./server.ts";

/** A door to a real server through which some methods do not pass: what an older server is like. */
function door(path: string, socket: string, refused: readonly string[], withServer: boolean): Disposable {
  const open = new Set<Socket>();
  const server = createServer((caller) => {
    const callee = connect(socket);
    const framer = new Framer();
    for (const [one, other] of [[caller, callee] as const, [callee, caller] as const]) {
      open.add(one);
      one.on("error", () => {});
      one.on("close", () => other.destroy());
    }
    callee.on("data", (chunk: Buffer) => caller.write(chunk));
    caller.on("data", (chunk: Buffer) => {
      for (const message of framer.push(chunk)) {
        if (!isObject(message)) continue;
        const { id, method, params } = message;
        const refusal = refused.includes(String(method))
          ? "unknown method"
          : !withServer && stringifyJson(params ?? null).startsWith('["_Server"')
            ? { error: "unknown database", details: "get_schema request specifies unknown database _Server" }
            : undefined;
        if (refusal === undefined) callee.write(stringifyJson(message));
        else caller.write(stringifyJson({ id: id ?? null, result: null, error: refusal }));
      }
    });
  }).listen(path);
  return {
    [Symbol.dispose]: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

describe("a server that is older than", live, () => {
  for (const [what, refused, withServer] of [
    ["monitor_cond_since", ["monitor_cond_since"], true],
    ["_Server and change awareness", ["monitor_cond_since", "set_db_change_aware"], false],
    ["monitor_cond", ["monitor_cond_since", "monitor_cond", "monitor_cond_change"], false],
  ] as const)
    test(`${what} is followed all the same`, async () => {
      await using stack = new Resources();
      const { path } = stack.use(folder());
      const server = stack.use(await startServer(path));
      const elsewhere = stack.use(await openDatabase({ remote: server.remote, schema }));
      const old = await elsewhere.transact((tx) => tx.insert("Item", { name: "old", tags: ["a"] }));
      const socket = join(path, "door.sock");
      stack.use(door(socket, server.socket, refused, withServer));
      const db = stack.use(await openDatabase({ remote: `unix:${socket}`, schema }));
      assert.equal(db.table("Item").get(old)?.name, "old");
      const made = await db.transact((tx) => {
        const row = tx.get("Item", old);
        tx.mutate("Item", old, { tags: { insert: ["b"] }, small: { insert: [1] } });
        return tx.insert("Item", { name: `after ${row?.name}`, options: { k: "v" } });
      });
      assert.deepEqual([...(db.table("Item").get(old)?.tags ?? [])].sort(), ["a", "b"]);
      assert.equal(db.table("Item").get(made)?.options.get("k"), "v");
      await db.transact((tx) => tx.update("Item", old, { small: undefined, tags: [] }));
      assert.equal(db.table("Item").get(old)?.small, undefined);
      assert.equal(db.table("Item").get(old)?.tags.size, 0);
      await db.transact((tx) => tx.delete("Item", old));
      assert.equal(db.table("Item").get(old), undefined);
      assert.equal(db.table("Item").size, 1);
      const part = db.setConditions({ Item: [["name", "==", "nobody"]] });
      if (what === "monitor_cond") await assert.rejects(part, RequestRefusedError);
      else {
        await part;
        assert.equal(db.table("Item").size, 0);
      }
    });
});
