import type { Database } from "@switchyard/ovsdb";
import type { Subject } from "../agent/subject.ts";
import { isUndeclared } from "./implied.ts";
import { type Failure, nodeStatus, statusFailure } from "./status.ts";
import type { Store } from "./store.ts";
import type { NodeRow, SwitchyardTables } from "./switchyard.gen.ts";

/** Whose fate matters to the one who waits; without any, everybody's. */
export interface Scope {
  /** Names of labs: their nodes and networks. Networks that nobody declares come with the nodes on them. */
  readonly labs?: readonly string[];
  readonly nodes?: readonly string[];
  readonly networks?: readonly string[];
  /** Of the kernel's own. */
  readonly bridges?: readonly string[];
}

export interface WaitOptions extends Scope {
  readonly signal?: AbortSignal;
  /** Milliseconds; none by default: the signal ends it. */
  readonly timeout?: number;
  /** Told whenever it has changed: how many of the nodes in question the agent is through with. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** What of the declared state could not be had. */
export interface RowFailure extends Failure {
  readonly subject: Subject;
}

export interface Outcome {
  /** Empty: all is as declared. Networks come first, then nodes in file order, each before its nics. */
  readonly failures: readonly RowFailure[];
}

/**
 * Waits until every host's agent has taken the state `cfg`, and tells what failed of it.
 *
 * @throws CancelledError, TimeoutError, ClosedError of ovsdb
 */
export async function waitApplied(store: Store, cfg: number, options: WaitOptions = {}): Promise<Outcome> {
  let told = -1;
  await store.db.waitFor(
    (db) => {
      if (options.onProgress) {
        const nodes = nodesIn(db, options);
        const done = nodes.reduce((count, node) => count + Number(isSettled(node)), 0);
        if (done !== told) options.onProgress({ done, total: nodes.length });
        told = done;
      }
      const hosts = [...db.table("Host")];
      return hosts.length > 0 && hosts.every((host) => host.cur_cfg >= cfg);
    },
    {
      // 2^31 - 1 is the longest that a timer takes: 24 days.
      timeout: options.timeout ?? 2_147_483_647,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  );
  return { failures: failuresIn(store.db, options) };
}

/** What the agents tell as failed now. */
export function failuresIn(db: Database<SwitchyardTables>, scope: Scope = {}): RowFailure[] {
  const failures: RowFailure[] = [];
  const note = (subject: Subject, failure: Failure | undefined) => {
    if (failure) failures.push({ subject, ...failure });
  };
  for (const host of db.table("Host")) note({ kind: "yard" }, statusFailure(host.status));
  const inScope = scopeOf(db, scope);
  const nics = db.table("Nic");
  const nodes = nodesIn(db, scope)
    .toSorted((a, b) => a.obj_id - b.obj_id)
    .map((node) => ({
      node,
      own: [...node.nics].flatMap((uuid) => nics.get(uuid) ?? []).toSorted((a, b) => a.index - b.index),
    }));
  // Those that nobody declares concern whoever is on them.
  const used = new Set(nodes.flatMap(({ own }) => own.map(({ network }) => network)));
  for (const network of db.table("Network")) {
    if (inScope("networks", network) || (isUndeclared(network) && used.has(network._uuid)))
      note({ kind: "network", network: network.name }, statusFailure(network.status));
  }
  for (const { name, status } of db.table("Bridge")) {
    if (isWhole(scope) || scope.bridges?.includes(name)) note({ kind: "bridge", bridge: name }, statusFailure(status));
  }
  for (const { node, own } of nodes) {
    note({ kind: "node", node: node.name }, statusFailure(node.status));
    for (const nic of own) note({ kind: "nic", node: node.name, nic: nic.name }, statusFailure(nic.status));
  }
  return failures;
}

function nodesIn(db: Database<SwitchyardTables>, scope: Scope): NodeRow[] {
  const inScope = scopeOf(db, scope);
  return [...db.table("Node")].filter((node) => inScope("nodes", node));
}

function scopeOf(db: Database<SwitchyardTables>, scope: Scope) {
  const { labs } = scope;
  const all = isWhole(scope);
  const uuids = new Set([...db.table("Lab")].filter((lab) => labs?.includes(lab.name)).map((lab) => lab._uuid));
  return (kind: "nodes" | "networks", row: { readonly name: string; readonly lab: NodeRow["lab"] }): boolean =>
    all || scope[kind]?.includes(row.name) === true || (row.lab !== undefined && uuids.has(row.lab));
}

function isWhole({ labs, nodes, networks, bridges }: Scope): boolean {
  return labs === undefined && nodes === undefined && networks === undefined && bridges === undefined;
}

function isSettled(node: NodeRow): boolean {
  const { state } = nodeStatus(node.status);
  return state === "running" || state === "exited" || state === "stopped" || state === "failed";
}
