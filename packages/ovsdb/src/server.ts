import { isObject, type Json, type JsonObject } from "./json.ts";
import { ReplicaTable } from "./replica.ts";
import { parseSchema } from "./schema.ts";
import type { Row } from "./value.ts";

/** The part of `_Server` (ovsdb-server(5)) that tells whether a server is fit to be used. */
const schema = parseSchema({
  name: "_Server",
  tables: {
    Database: {
      columns: {
        name: { type: "string" },
        model: { type: "string" },
        connected: { type: "boolean" },
        leader: { type: "boolean" },
        schema: { type: { key: "string", min: 0, max: 1 } },
        cid: { type: { key: "uuid", min: 0, max: 1 } },
        index: { type: { key: "integer", min: 0, max: 1 } },
      },
    },
  },
});

/** What the server says of one database. */
export interface ServedDatabase {
  readonly model: string;
  readonly connected: boolean;
  readonly leader: boolean;
  readonly schema: string | undefined;
  readonly cid: string | undefined;
  /** The Raft log index that the server has reached; of clustered databases only. */
  readonly index: number | undefined;
}

/** The rows of a server's `_Server.Database`, of the columns that this server has. */
export function serverTable(served: Json): { readonly table: ReplicaTable; readonly request: JsonObject } {
  const ours = schema.tables.get("Database");
  const theirs = isObject(served) ? parseSchema(served).tables.get("Database") : undefined;
  if (ours === undefined || theirs === undefined) throw new Error("the server has no table _Server.Database");
  const columns = [...ours.columns.keys()].filter((name) => theirs.columns.has(name));
  return { table: new ReplicaTable(ours, [...ours.columns.keys()]), request: { Database: [{ columns }] } };
}

/** The row of the database `name`, of cluster `cid` if given. */
export function servedDatabase(table: ReplicaTable, name: string, cid: string | undefined): ServedDatabase | undefined {
  const row = table
    .filter({ name })
    .find((candidate) => cid === undefined || candidate.cid === undefined || candidate.cid === cid);
  return row && served(row);
}

function served(row: Row): ServedDatabase {
  const { model, connected, leader, schema, cid, index } = row;
  return {
    model: typeof model === "string" ? model : "",
    connected: connected === true,
    leader: leader === true,
    schema: typeof schema === "string" ? schema : undefined,
    cid: typeof cid === "string" ? cid : undefined,
    index: typeof index === "number" ? index : undefined,
  };
}

/** Why a server is not fit, or nothing: the rules of lib/ovsdb-cs.c, `ovsdb_cs_check_server_db`. */
export function unfit(
  name: string,
  database: ServedDatabase | undefined,
  wanted: { readonly leaderOnly: boolean; readonly minIndex: number },
): string | undefined {
  if (database === undefined) return `the server does not serve the database ${name}`;
  const { model, connected, leader, index } = database;
  if (model === "clustered" || model === "relay") {
    if (!connected) return `the server has lost its ${model === "relay" ? "source" : "cluster"}`;
    if (wanted.leaderOnly && !leader) return `the server is not the leader of ${name}`;
    if (model === "clustered" && index !== undefined && index < wanted.minIndex)
      return `the server's state of ${name} is older than what was seen`;
  }
  if (database.schema === undefined) return `the server has no schema for ${name} yet`;
  return undefined;
}
