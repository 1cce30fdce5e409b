import { type Database, openDatabase } from "@switchyard/ovsdb";
import { type SwitchyardTables, schema } from "./switchyard.gen.ts";

/** A yard's database, `Switchyard`. */
export interface Store extends AsyncDisposable {
  readonly db: Database<SwitchyardTables>;
}

/**
 * Opens the database of a yard.
 *
 * @param options.remote `unix:/run/switchyard/main/db.sock`, or any list of remotes of ovsdb(7)
 * @throws OvsdbError
 */
export async function openStore(options: {
  readonly remote: string;
  readonly signal?: AbortSignal;
  /** Milliseconds until its content must be here; 10,000 by default. */
  readonly timeout?: number;
}): Promise<Store> {
  const db = await openDatabase({
    schema,
    remote: options.remote,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    // A nic's network and a node's lab are looked up for every change.
    indexes: { Node: [["lab"]], Nic: [["network"]] },
  });
  return { db, [Symbol.asyncDispose]: () => db.close() };
}
