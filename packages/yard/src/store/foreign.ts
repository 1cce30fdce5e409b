/**
 * Rows that stand for what another program has: a Docker network, a container's end in it. What that program calls the
 * thing is kept in `external_ids`, which no other door writes.
 */
import { YardError } from "@switchyard/base";
import type { GuestSpec, NetworkSpec } from "../model/types.ts";
import { Change, type ChangeOptions } from "./change.ts";
import type { Declared } from "./declare.ts";
import type { Place } from "./draft.ts";
import type { Store } from "./store.ts";
import type { NetworkRow, NodeRow } from "./switchyard.gen.ts";

/** What another program calls a thing, and what it must know of it: entries of `external_ids`. */
export type ForeignIds = Readonly<Record<string, string>>;

export interface ForeignNetwork {
  readonly spec: NetworkSpec;
  readonly ids: ForeignIds;
}
export interface ForeignNode {
  readonly spec: GuestSpec;
  readonly ids: ForeignIds;
  /** Nodes in whose place it comes: what they have is free. */
  readonly replaces: readonly NodeRow[];
}

/** The row whose `external_ids` have that entry. */
export function foreignNetwork(store: Store, key: string, id: string): NetworkRow | undefined {
  return [...store.db.table("Network")].find((row) => row.external_ids.get(key) === id);
}

/** The nodes on a network whose `external_ids` have such an entry. */
export function foreignNodesOn(store: Store, key: string, network: NetworkRow): NodeRow[] {
  const nics = new Set(
    store.db
      .table("Nic")
      .filter({ network: network._uuid })
      .map(({ _uuid }) => _uuid),
  );
  return [...store.db.table("Node")].filter(
    (row) => row.external_ids.has(key) && [...row.nics].some((uuid) => nics.has(uuid)),
  );
}

/** The row whose `external_ids` have that entry. */
export function foreignNode(store: Store, key: string, id: string): NodeRow | undefined {
  return [...store.db.table("Node")].find((row) => row.external_ids.get(key) === id);
}

/**
 * Adds a network for another program.
 *
 * @throws YardError `network.name-taken`, `network.bridge-taken`, `network.no-subnet`; OvsdbError
 */
export function addForeignNetwork(
  store: Store,
  { spec, ids }: ForeignNetwork,
  place: Place,
  options?: ChangeOptions,
): Promise<Declared> {
  return change(store, `add network ${spec.name}`, place, options, (it, tx) => {
    refuseNetwork(store, spec.name);
    tx.update("Network", it.networks.write(spec, undefined, undefined), { external_ids: new Map(Object.entries(ids)) });
    // With it comes the row of the host, so that whoever waits has one to wait for.
    it.host(place.host);
  });
}

/** @throws as `addNode` */
export function addForeignNode(
  store: Store,
  { spec, ids, replaces }: ForeignNode,
  place: Place,
  options?: ChangeOptions,
): Promise<Declared> {
  return change(store, `add node ${spec.name}`, place, options, (it, tx) => {
    refuseNode(store, spec.name);
    for (const row of replaces) it.nodes.delete(row);
    for (const uuid of it.nodes.write([{ spec, row: undefined }], undefined, it.host(place.host)))
      tx.update("Node", uuid, { external_ids: new Map(Object.entries(ids)) });
  });
}

/** Has a node say something else; its nics stay as they are. @throws YardError `node.name-taken`; OvsdbError */
export function changeForeignNode(
  store: Store,
  row: NodeRow,
  spec: Omit<GuestSpec, "nics">,
  options?: ChangeOptions,
): Promise<Declared> {
  return change(store, `change node ${row.name}`, undefined, options, (it, tx) => {
    if (spec.name !== row.name) refuseNode(store, spec.name);
    it.nodes.configure(row, spec);
    if (spec.name === row.name) return;
    tx.update("Node", row._uuid, { name: spec.name });
    it.changed = true;
  });
}

/** @throws YardError `network.name-taken`; OvsdbError */
export function renameForeignNetwork(
  store: Store,
  row: NetworkRow,
  name: string,
  options?: ChangeOptions,
): Promise<Declared> {
  return change(store, `rename network ${row.name}`, undefined, options, (it, tx) => {
    refuseNetwork(store, name);
    tx.update("Network", row._uuid, { name });
    it.changed = true;
  });
}

/**
 * Removes a network, with those nodes.
 *
 * @throws YardError `network.in-use` when others are on it; OvsdbError
 */
export function removeForeignNetwork(
  store: Store,
  row: NetworkRow,
  nodes: readonly NodeRow[],
  options?: ChangeOptions,
): Promise<Declared> {
  return change(store, `remove network ${row.name}`, undefined, options, (it) => {
    for (const node of nodes) it.nodes.delete(node);
    it.networks.delete(row);
  });
}

/** @throws OvsdbError */
export function removeForeignNode(store: Store, row: NodeRow, options?: ChangeOptions): Promise<Declared> {
  return change(store, `remove node ${row.name}`, undefined, options, (it) => it.nodes.delete(row));
}

function refuseNetwork(store: Store, name: string): void {
  if (store.db.table("Network").find({ name }) !== undefined)
    throw new YardError("network.name-taken", `the yard has a network ${name} already`);
}

function refuseNode(store: Store, name: string): void {
  if (store.db.table("Node").find({ name }) !== undefined)
    throw new YardError("node.name-taken", `the yard has a node ${name} already`);
}

function change(
  store: Store,
  comment: string,
  place: Place | undefined,
  options: ChangeOptions | undefined,
  body: (change: Change, tx: ConstructorParameters<typeof Change>[1]) => void,
): Promise<Declared> {
  return store.db.transact(
    (tx) => {
      const it = new Change(store.db, tx, place);
      body(it, tx);
      it.finish();
      return { cfg: it.cfg, changed: it.changed };
    },
    { comment, ...options },
  );
}
