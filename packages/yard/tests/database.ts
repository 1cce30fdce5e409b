/** A database server of a test's own, and stores on it. */
import { mkdirSync } from "node:fs";
import { temporaryFolder } from "@switchyard/testing";
import { startDatabaseServer, stopDatabaseServer } from "@switchyard/vswitch";
import { openStore, type Store } from "../src/store/mod.ts";

export interface TestDatabase extends AsyncDisposable {
  readonly remote: string;
  readonly folder: string;
  /** Another client of the same database. */
  open(): Promise<Store>;
}

export async function startDatabase(folder?: string): Promise<TestDatabase> {
  const own = await temporaryFolder("tyard-store");
  const path = folder ?? own.path;
  const runDir = `${own.path}/run`;
  mkdirSync(runDir);
  const socket = `${runDir}/db.sock`;
  const schema = new URL("../src/store/switchyard.ovsschema", import.meta.url).pathname;
  const remote = `unix:${socket}`;
  const stores: Store[] = [];
  try {
    await startDatabaseServer({ socket, runDir, databases: [{ file: `${path}/switchyard.db`, schema }] });
  } catch (error) {
    await own[Symbol.asyncDispose]();
    throw error;
  }
  return {
    remote,
    folder: path,
    async open() {
      const store = await openStore({ remote });
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store[Symbol.asyncDispose]();
      await stopDatabaseServer(runDir);
      await own[Symbol.asyncDispose]();
    },
  };
}
