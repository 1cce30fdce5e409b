import type { Database, Uuid } from "@switchyard/ovsdb";
import type { SwitchyardTables } from "../store/switchyard.gen.ts";
import { type EngineKey, engineId, parseEngineId } from "./engines.ts";

/** What an agent says of itself as it starts. */
export interface Registration {
  readonly yard: string;
  readonly host: string;
  readonly datapath: string;
  readonly agentPid: number;
}

/**
 * Makes the row of the yard, if nobody has, and that of this host.
 *
 * @returns the host's row
 * @throws OvsdbError
 */
export async function register(
  db: Database<SwitchyardTables>,
  { yard, host, datapath, agentPid }: Registration,
): Promise<Uuid> {
  return await db.transact((tx) => {
    if (tx.filter("Yard", () => true).length === 0) tx.insert("Yard", { name: yard, next_obj_id: 1 });
    const found = tx.find("Host", { name: host });
    if (!found) return tx.insert("Host", { name: host, datapath, agent_pid: agentPid });
    tx.update("Host", found._uuid, { datapath, agent_pid: agentPid });
    return found._uuid;
  });
}

/** A key of Host.external_ids for each engine that may hold containers of the yard. */
const ENGINE = "engine:";

/**
 * Writes down which engines are used, before anything is made on them: `down --all` finds it there after any crash. One
 * that tells that it has nothing of the yard any more is forgotten, so that the yard can go without it.
 */
export async function recordEngines(
  db: Database<SwitchyardTables>,
  host: Uuid,
  used: Iterable<EngineKey>,
  answered: ReadonlySet<string>,
): Promise<void> {
  const ids = new Set(Array.from(used, engineId));
  const known = new Set(recordedEngines(db, host).map(engineId));
  const fresh = [...ids].filter((id) => !known.has(id));
  const unused = [...known].filter((id) => !ids.has(id) && answered.has(id));
  if (fresh.length + unused.length === 0) return;
  await db.transact((tx) => {
    if (fresh.length > 0)
      tx.mutate("Host", host, { external_ids: { insert: new Map(fresh.map((id) => [`${ENGINE}${id}`, ""])) } });
    if (unused.length > 0)
      tx.mutate("Host", host, { external_ids: { delete: new Set(unused.map((id) => `${ENGINE}${id}`)) } });
  });
}

/** The engines that were written down. */
export function recordedEngines(db: Database<SwitchyardTables>, host: Uuid): EngineKey[] {
  const keys = [...(db.table("Host").get(host)?.external_ids.keys() ?? [])];
  return keys.flatMap((key) => (key.startsWith(ENGINE) ? (parseEngineId(key.slice(ENGINE.length)) ?? []) : []));
}
