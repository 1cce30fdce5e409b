/**
 * All that a yard's database says, as plain immutable data: references are names, sets are sorted lists, the JSON of
 * the `config` columns is parsed. What is pure works on this and knows nothing of databases.
 */
import type { Cidr, Ip, Mac } from "@switchyard/base";
import type { Database, Uuid } from "@switchyard/ovsdb";
import type { CheckSpec, ImpairSpec, NetworkMaking, RouteSpec } from "../model/types.ts";
import { type BridgeEntry, bridgeEntry } from "./bridge-rows.ts";
import type { NodeConfig } from "./config.ts";
import { hostEntry, labEntry, linkPart, networkPart, nicPart, nodePart } from "./row-parts.ts";
import type { HostStatus, NetworkStatus, NicStatus, NodeStatus } from "./status.ts";
import type { BridgeRow, LabRow, LinkRow, NetworkRow, NicRow, NodeRow, SwitchyardTables } from "./switchyard.gen.ts";

export interface Rows {
  /** Undefined in a database that nobody has written to. */
  readonly yard: { readonly name: string; readonly nextCfg: number } | undefined;
  readonly hosts: readonly HostEntry[];
  /** By name, as are the other lists unless they say otherwise. */
  readonly labs: readonly LabEntry[];
  readonly networks: readonly NetworkEntry[];
  /** By obj_id, which is file order within a lab. */
  readonly nodes: readonly NodeEntry[];
  readonly links: readonly LinkEntry[];
  /** Of the kernel's own, of every host. */
  readonly bridges: readonly BridgeEntry[];
}

export interface HostEntry {
  readonly uuid: Uuid;
  readonly name: string;
  readonly curCfg: number;
  readonly agentPid: number | undefined;
  readonly datapath: string;
  readonly status: HostStatus;
}

export interface LabEntry {
  readonly uuid: Uuid;
  readonly name: string;
  readonly file: string;
  readonly checks: readonly CheckSpec[];
}

export type NetworkEntry = NetworkMaking & NetworkCommon;

interface NetworkCommon {
  readonly uuid: Uuid;
  readonly name: string;
  /** Undefined: made by a command. */
  readonly lab: string | undefined;
  readonly cidr: readonly Cidr[];
  readonly gateway: readonly Ip[];
  readonly mtu: number | undefined;
  readonly status: NetworkStatus;
}

export interface NodeEntry {
  readonly uuid: Uuid;
  readonly name: string;
  readonly objId: number;
  readonly lab: string | undefined;
  readonly host: string;
  /** It is not to run, and had so many seconds for ending; undefined: it is to run. */
  readonly stopped: number | undefined;
  readonly spec: NodeConfig;
  /** By index. */
  readonly nics: readonly NicEntry[];
  readonly status: NodeStatus;
}

export interface NicEntry {
  readonly uuid: Uuid;
  /** n of the port's name `_k_<obj_id>_<n>`. */
  readonly index: number;
  readonly name: string;
  readonly network: string | undefined;
  readonly link: string | undefined;
  readonly mac: Mac;
  /** IPv4 before IPv6; the first is the one that it is known by. */
  readonly addresses: readonly Cidr[];
  readonly slot: number | undefined;
  readonly mtu: number | undefined;
  readonly vlan: number | undefined;
  readonly trunks: readonly number[];
  readonly spy: boolean;
  readonly gateway: readonly Ip[] | undefined;
  readonly dns: readonly Ip[];
  readonly routes: readonly RouteSpec[];
  readonly dhcp: boolean;
  readonly monitor: boolean;
  readonly identity: string | undefined;
  readonly impair: ImpairSpec | undefined;
  readonly status: NicStatus;
}

export interface LinkEntry {
  readonly uuid: Uuid;
  readonly name: string;
  readonly lab: string | undefined;
  readonly mtu: number | undefined;
  readonly impair: ImpairSpec | undefined;
}

/**
 * The present content of the database. Entries that have not changed are the same objects as before.
 *
 * @throws YardError `store.bad-row` when a row holds what this version cannot read
 */
export function rowsOf(db: Database<SwitchyardTables>): Rows {
  const [yard] = db.table("Yard");
  const names = namesOf(db);
  const { labs, hosts } = names;
  return {
    yard: yard && { name: yard.name, nextCfg: yard.next_cfg },
    hosts: byName([...db.table("Host")].map(hostEntry)),
    labs: byName([...db.table("Lab")].map((row) => kept(labEntries, row, "", () => labEntry(row)))),
    networks: byName(
      [...db.table("Network")].map((row) => {
        const lab = nameIn(labs, row.lab);
        return kept(networkEntries, row, lab, () => ({ ...networkPart(row), lab }));
      }),
    ),
    bridges: byName(
      [...db.table("Bridge")].map((row) => {
        const host = hosts.get(row.host) ?? "";
        return kept(bridgeEntries, row, host, () => bridgeEntry(row, host));
      }),
    ),
    links: byName(
      [...db.table("Link")].map((row) => {
        const lab = nameIn(labs, row.lab);
        return kept(linkEntries, row, lab, () => ({ ...linkPart(row), lab }));
      }),
    ),
    nodes: nodesOf(db, names),
  };
}

/** The names that references stand for. */
interface Names {
  readonly labs: ReadonlyMap<Uuid, string>;
  readonly networks: ReadonlyMap<Uuid, string>;
  readonly links: ReadonlyMap<Uuid, string>;
  readonly hosts: ReadonlyMap<Uuid, string>;
}

const namesKept = new WeakMap<Database<SwitchyardTables>, Names>();

/** The same object as before while all of them are as before. */
function namesOf(db: Database<SwitchyardTables>): Names {
  const of = (table: "Lab" | "Network" | "Link" | "Host") =>
    new Map([...db.table(table)].map((row) => [row._uuid, row.name]));
  const names: Names = { labs: of("Lab"), networks: of("Network"), links: of("Link"), hosts: of("Host") };
  const before = namesKept.get(db);
  const same = (part: keyof Names) =>
    before?.[part].size === names[part].size &&
    [...names[part]].every(([uuid, name]) => before[part].get(uuid) === name);
  if (before && same("labs") && same("networks") && same("links") && same("hosts")) return before;
  namesKept.set(db, names);
  return names;
}

function nameIn(names: ReadonlyMap<Uuid, string>, uuid: Uuid | undefined): string | undefined {
  return uuid === undefined ? undefined : names.get(uuid);
}

/** An entry, and what it was made of beside its row. */
interface Kept<Entry> {
  readonly by: unknown;
  readonly entry: Entry;
}
interface KeptNode extends Kept<NodeEntry> {
  readonly nics: readonly NicRow[];
}

// Rows are frozen and shared by the replica, so what was made of one holds for as long as it does.
const labEntries = new WeakMap<LabRow, Kept<LabEntry>>();
const networkEntries = new WeakMap<NetworkRow, Kept<NetworkEntry>>();
const bridgeEntries = new WeakMap<BridgeRow, Kept<BridgeEntry>>();
const linkEntries = new WeakMap<LinkRow, Kept<LinkEntry>>();
const nodeEntries = new WeakMap<NodeRow, KeptNode>();
const nicEntries = new WeakMap<NicRow, Kept<NicEntry>>();

/** What was made of a row, or is made of it anew when `by` is another than then. */
function kept<Row extends object, Entry>(
  cache: WeakMap<Row, Kept<Entry>>,
  row: Row,
  by: unknown,
  make: () => Entry,
): Entry {
  const known = cache.get(row);
  if (known && known.by === by) return known.entry;
  const entry = make();
  cache.set(row, { by, entry });
  return entry;
}

function nodesOf(db: Database<SwitchyardTables>, names: Names): NodeEntry[] {
  const present = db.table("Nic");
  const nodes: NodeEntry[] = [];
  for (const row of db.table("Node")) {
    const known = nodeEntries.get(row);
    if (known?.by === names && known.nics.every((nic) => present.get(nic._uuid) === nic)) {
      nodes.push(known.entry);
      continue;
    }
    const nics = [...row.nics].flatMap((uuid) => present.get(uuid) ?? []);
    const entry: NodeEntry = {
      ...nodePart(row),
      lab: nameIn(names.labs, row.lab),
      host: names.hosts.get(row.host) ?? "",
      nics: nics.map((nic) => nicEntry(nic, names)).sort((a, b) => a.index - b.index),
    };
    // All of them are there once the replica has them, unless a row is bad.
    if (nics.length === row.nics.size) nodeEntries.set(row, { by: names, nics, entry });
    nodes.push(entry);
  }
  return nodes.sort((a, b) => a.objId - b.objId);
}

function nicEntry(row: NicRow, names: Names): NicEntry {
  return kept(nicEntries, row, names, () => ({
    ...nicPart(row),
    network: nameIn(names.networks, row.network),
    link: nameIn(names.links, row.link),
  }));
}

function byName<T extends { readonly name: string }>(list: readonly T[]): readonly T[] {
  return list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
