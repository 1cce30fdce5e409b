import {
  BadValueError,
  ConnectError,
  ConnectionLostError,
  type OvsdbError,
  ProtocolError,
  RequestRefusedError,
  UnknownDatabaseError,
} from "./errors.ts";
import { isArray, isObject, type Json, type JsonObject } from "./json.ts";
import { Probe } from "./probe.ts";
import type { ReplicaTable, UpdateFormat } from "./replica.ts";
import { type Peer, Rpc } from "./rpc.ts";
import { type DatabaseSchema, parseSchema } from "./schema.ts";
import { servedDatabase, serverTable, unfit } from "./server.ts";
import type { Transport } from "./transport.ts";

const SERVER_MONITOR = "server";
/** Milliseconds, twice, for the first answer of a server that is not probed later. */
const FIRST_WORD = 2_500;
const NO_TRANSACTION = "00000000-0000-0000-0000-000000000000";

/** What a connection tells, in the order in which the server said it. */
export interface ConnectionEvents {
  /** What to ask the monitor for, now that the server's schema is known. */
  monitorRequests(served: DatabaseSchema): { readonly plain: JsonObject; readonly conditional: JsonObject };
  /** The whole state, in place of whatever was known. */
  snapshot(format: UpdateFormat, tables: Json): void;
  /** What has changed since. */
  update(format: UpdateFormat, tables: Json): void;
  /** Snapshot or resumed: from here on the replica follows the server. */
  synced(connection: Connection): void;
  /** The server lives but the database must be monitored anew; a snapshot follows. */
  desynced(reason: string): void;
  lock(name: string, held: boolean): void;
  /** The server told something about its fitness that holds this connection up. */
  waiting(problem: OvsdbError): void;
  ended(connection: Connection, cause: Error): void;
}

/** What outlives a connection, so that the next can go on from there. */
export interface Position {
  /** `last-txn-id` of `monitor_cond_since`; the zero UUID when unknown. */
  lastTransaction: string;
  /** The highest Raft index seen: a server behind it would take us back in time. */
  minIndex: number;
}

export const startPosition = (): Position => ({ lastTransaction: NO_TRANSACTION, minIndex: 0 });

/** What a connection is for. */
export interface ConnectionGoal {
  readonly database: string;
  readonly cid: string | undefined;
  readonly leaderOnly: boolean;
  readonly probeInterval: number;
  /** Whether another server could be tried when this one is unfit; else its recovery is awaited. */
  readonly alternatives: boolean;
}

type Method = "monitor_cond_since" | "monitor_cond" | "monitor";

/**
 * One connection's way from "connected" to "monitoring" and what happens there: the state machine of lib/ovsdb-cs.c
 * (`_Server` schema, `_Server` monitor, `set_db_change_aware`, the best monitor that the server has).
 */
export class Connection implements Peer {
  readonly rpc: Rpc;
  readonly #goal: ConnectionGoal;
  readonly #position: Position;
  readonly #events: ConnectionEvents;
  readonly #probe: Probe;
  #server: ReplicaTable | undefined;
  #method: Method = "monitor_cond_since";
  /** The monitor that is asked for or runs; a new one has a new number. */
  #monitor = 0;
  #monitoring: "no" | "asked" | "yes" = "no";
  /** The schema that the monitor was asked for by, in a form that can be compared. */
  #schema: string | undefined;
  /** The `_Server` row's schema when it was last looked at. */
  #told: string | undefined;
  /** The conditions' numbers: updates carry the new one from the change on, before its reply. */
  #conditions = 0;
  /** Changes of the conditions that are under way. */
  #changing = 0;

  constructor(transport: Transport, goal: ConnectionGoal, position: Position, events: ConnectionEvents) {
    this.#goal = goal;
    this.#position = position;
    this.#events = events;
    this.rpc = new Rpc(transport, this);
    // Until it has said its first word, a server is suspected even where nobody wants probes.
    const interval = goal.probeInterval > 0 ? goal.probeInterval : FIRST_WORD;
    this.#probe = new Probe(
      interval,
      () => this.rpc.send("echo", [], () => {}),
      () => this.rpc.close(new ConnectionLostError(`the server was silent for ${2 * interval} ms`)),
    );
    this.#begin().catch((error) => this.#fail(error));
  }

  get monitoring(): boolean {
    return this.#monitoring === "yes" && !this.rpc.ended;
  }

  heard(): void {
    this.#probe.heard();
    if (this.#goal.probeInterval <= 0) this.#probe.stop();
  }

  ended(cause: Error): void {
    this.#probe.stop();
    // An update that could not be taken in has left the replica behind: nothing to resume from.
    if (cause instanceof BadValueError) this.#position.lastTransaction = NO_TRANSACTION;
    this.#events.ended(this, cause);
  }

  notified(method: string, params: readonly Json[]): void {
    switch (method) {
      case "update":
      case "update2":
        this.#updated(params[0], method, params[1]);
        return;
      case "update3":
        if (typeof params[1] === "string" && this.#changing === 0 && this.#isData(params[0]))
          this.#position.lastTransaction = params[1];
        this.#updated(params[0], "update2", params[2]);
        return;
      case "monitor_canceled":
        this.#canceled(params[0]);
        return;
      case "locked":
      case "stolen":
        if (typeof params[0] === "string") this.#events.lock(params[0], method === "locked");
        return;
      default:
        // RFC 7047 knows no others; a newer server's news are none of ours.
        return;
    }
  }

  /**
   * Changes what rows are monitored (`monitor_cond_change`); `requests` names the changed tables only.
   *
   * @throws RequestRefusedError when the server can only monitor whole tables; the connection's failure
   */
  async changeConditions(requests: JsonObject): Promise<void> {
    if (this.#method === "monitor")
      throw new RequestRefusedError(
        "monitor_cond_change",
        "unknown method",
        "the server cannot monitor part of a table (ovsdb-server(7), monitor_cond)",
      );
    // Resumed from here with the new conditions, rows that they add would be missing: start anew in that case.
    this.#position.lastTransaction = NO_TRANSACTION;
    const old = this.#dataId(this.#conditions);
    this.#conditions++;
    this.#changing++;
    try {
      await this.rpc.request("monitor_cond_change", [old, this.#dataId(this.#conditions), requests]);
    } finally {
      this.#changing--;
    }
  }

  async #begin(): Promise<void> {
    const served = await this.rpc.request("get_schema", ["_Server"]).catch((error) => {
      if (error instanceof RequestRefusedError) return undefined;
      throw error;
    });
    if (served === undefined) return this.#beginWithout();
    const { table, request } = serverTable(served);
    this.rpc.send("set_db_change_aware", [true], () => {});
    this.rpc.send("monitor_cond", ["_Server", SERVER_MONITOR, request], (reply) => {
      if (reply.kind === "lost") return;
      if (reply.kind === "error") return this.#fail(new ConnectError(`the server cannot be watched: ${reply.text}`));
      this.#server = table;
      this.#serverUpdated(reply.result);
    });
  }

  /** Servers before 2.9 have no `_Server`. */
  async #beginWithout(): Promise<void> {
    const schema = await this.#schemaOf();
    this.#startMonitor(parseSchema(schema));
  }

  async #schemaOf(): Promise<Json> {
    return await this.rpc.request("get_schema", [this.#goal.database]).catch((error) => {
      throw error instanceof RequestRefusedError ? this.#gone() : error;
    });
  }

  #gone(): UnknownDatabaseError {
    return new UnknownDatabaseError(`the server does not serve the database ${this.#goal.database}`);
  }

  #fail(error: unknown): void {
    this.rpc.close(error instanceof Error ? error : new Error(String(error)));
  }

  #dataId(conditions: number): readonly Json[] {
    return ["data", this.#monitor, conditions];
  }

  #isData(id: Json | undefined): boolean {
    return isArray(id) && id[0] === "data" && id[1] === this.#monitor && this.#monitoring === "yes";
  }

  #updated(id: Json | undefined, format: UpdateFormat, tables: Json | undefined): void {
    if (tables === undefined) throw new ProtocolError("the server sent an update without its tables");
    if (id === SERVER_MONITOR) this.#serverUpdated(tables);
    else if (this.#isData(id)) this.#events.update(format, tables);
  }

  #serverUpdated(tables: Json): void {
    const table = this.#server;
    if (table === undefined || !isObject(tables)) return;
    const rows = isObject(tables.Database) ? tables.Database : {};
    for (const uuid in rows) {
      const update = rows[uuid];
      if (!isObject(update)) continue;
      const full = update.initial ?? update.insert;
      const old = table.get(uuid);
      if (isObject(full)) table.put(uuid, table.build(uuid, full));
      else if (isObject(update.modify) && old !== undefined) table.put(uuid, table.modify(old, update.modify));
      else table.delete(uuid);
    }
    this.#check();
  }

  /** Looks whether the server is (still) fit, and starts, restarts or leaves accordingly. */
  #check(): void {
    const table = this.#server;
    if (table === undefined) return;
    const { database, cid, leaderOnly, alternatives } = this.#goal;
    const served = servedDatabase(table, database, cid);
    const problem = unfit(database, served, { leaderOnly, minIndex: this.#position.minIndex });
    if (problem !== undefined || served?.schema === undefined) {
      const error =
        served === undefined ? new UnknownDatabaseError(problem ?? "") : new ConnectError(problem ?? "no schema");
      if (alternatives) {
        this.#fail(error);
        return;
      }
      if (this.#monitoring === "yes") this.#events.desynced(error.message);
      this.#monitoring = "no";
      this.#schema = undefined;
      this.#told = undefined;
      this.#events.waiting(error);
      return;
    }
    if (served.index !== undefined) this.#position.minIndex = Math.max(this.#position.minIndex, served.index);
    if (this.#told === served.schema && this.#monitoring !== "no") return;
    this.#told = served.schema;
    const json: Json = JSON.parse(served.schema);
    const schema = canonical(json);
    if (this.#schema === schema && this.#monitoring !== "no") return;
    if (this.#monitoring !== "no") {
      this.rpc.send("monitor_cancel", [this.#dataId(this.#conditions)], () => {});
      this.#events.desynced("the schema has changed");
      this.#position.lastTransaction = NO_TRANSACTION;
    }
    this.#schema = schema;
    this.#startMonitor(parseSchema(json));
  }

  #canceled(id: Json | undefined): void {
    if (id === SERVER_MONITOR) this.#fail(new ConnectError("the server stopped telling about itself"));
    if (!isArray(id) || id[1] !== this.#monitor) return;
    this.#events.desynced("the server ended the monitor");
    this.#monitoring = "no";
    this.#position.lastTransaction = NO_TRANSACTION;
    this.#renew().catch((error) => this.#fail(error));
  }

  /** The database was converted or removed. Which of them the row in `_Server` may tell late, or (3.1) not at all. */
  async #renew(): Promise<void> {
    const number = this.#monitor;
    const schema = await this.#schemaOf();
    if (number !== this.#monitor || this.#monitoring !== "no") return;
    this.#schema = canonical(schema);
    this.#startMonitor(parseSchema(schema));
  }

  #startMonitor(schema: DatabaseSchema): void {
    this.#monitoring = "asked";
    this.#monitor++;
    this.#conditions = 0;
    const number = this.#monitor;
    const requests = this.#events.monitorRequests(schema);
    this.#askMonitor(number, requests);
  }

  #askMonitor(number: number, requests: { readonly plain: JsonObject; readonly conditional: JsonObject }): void {
    const method = this.#method;
    const params: Json[] = [
      this.#goal.database,
      this.#dataId(0),
      method === "monitor" ? requests.plain : requests.conditional,
    ];
    if (method === "monitor_cond_since") params.push(this.#position.lastTransaction);
    this.rpc.send(method, params, (reply) => {
      if (reply.kind === "lost" || number !== this.#monitor) return;
      if (reply.kind === "error") {
        if (reply.error === "unknown database") return this.#fail(this.#gone());
        if (reply.error !== "unknown method" || method === "monitor")
          return this.#fail(new RequestRefusedError(method, reply.error, `${method} was refused: ${reply.text}`));
        this.#method = method === "monitor_cond_since" ? "monitor_cond" : "monitor";
        return this.#askMonitor(number, requests);
      }
      this.#monitoring = "yes";
      this.#initial(method, reply.result);
      this.#events.synced(this);
    });
  }

  #initial(method: Method, result: Json): void {
    switch (method) {
      case "monitor":
        this.#events.snapshot("update", result);
        break;
      case "monitor_cond":
        this.#events.snapshot("update2", result);
        break;
      case "monitor_cond_since": {
        if (!isArray(result) || typeof result[1] !== "string" || result[2] === undefined)
          throw new ProtocolError("the server answered monitor_cond_since with something else");
        this.#position.lastTransaction = result[1];
        if (result[0] === true) this.#events.update("update2", result[2]);
        else this.#events.snapshot("update2", result[2]);
      }
    }
  }
}

/** JSON whose members are in order: the server writes one schema now so, now so. */
function canonical(json: Json): string {
  return JSON.stringify(json, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
