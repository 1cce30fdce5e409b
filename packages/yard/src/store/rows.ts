/**
 * All that a yard's database says, as plain immutable data: references are names, sets are sorted lists, the JSON of
 * the `config` columns is parsed. What is pure works on this and knows nothing of databases.
 */
import { type Cidr, type Ip, type Mac, parseCidr, parseIp, parseMac, YardError } from "@switchyard/base";
import type { Database, Uuid } from "@switchyard/ovsdb";
import type { CheckSpec, ImpairSpec, NetworkMaking, RouteSpec } from "../model/types.ts";
import { type BridgeEntry, bridgeEntry } from "./bridge-rows.ts";
import { type NodeConfig, parseChecks, parseLinkConfig, parseNicConfig, parseNodeConfig } from "./config.ts";
import { parseMaking } from "./making.ts";
import {
  type HostStatus,
  hostStatus,
  type NetworkStatus,
  type NicStatus,
  type NodeStatus,
  networkStatus,
  nicStatus,
  nodeStatus,
} from "./status.ts";
import type {
  BridgeRow,
  HostRow,
  LabRow,
  LinkRow,
  NetworkRow,
  NicRow,
  NodeRow,
  SwitchyardTables,
} from "./switchyard.gen.ts";

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
  const labs = new Map([...db.table("Lab")].map((row) => [row._uuid, row.name]));
  const networks = new Map([...db.table("Network")].map((row) => [row._uuid, row.name]));
  const links = new Map([...db.table("Link")].map((row) => [row._uuid, row.name]));
  const hosts = new Map([...db.table("Host")].map((row) => [row._uuid, row.name]));
  const nics = db.table("Nic");
  const nameIn = (names: ReadonlyMap<Uuid, string>, uuid: Uuid | undefined) =>
    uuid === undefined ? undefined : names.get(uuid);
  const nicsOf = (node: NodeRow): NicEntry[] => {
    const own: NicEntry[] = [];
    for (const uuid of node.nics) {
      const row = nics.get(uuid);
      if (row === undefined) continue;
      const [network, link] = [nameIn(networks, row.network), nameIn(links, row.link)];
      own.push(kept(nicEntries, row, [network, link], () => ({ ...nicPart(row), network, link })));
    }
    return own.length > 1 ? own.sort((a, b) => a.index - b.index) : own;
  };
  return {
    yard: yard && { name: yard.name, nextCfg: yard.next_cfg },
    hosts: byName([...db.table("Host")].map(hostEntry)),
    labs: byName([...db.table("Lab")].map((row) => kept(labEntries, row, [], () => labEntry(row)))),
    networks: byName(
      [...db.table("Network")].map((row) => {
        const lab = nameIn(labs, row.lab);
        return kept(networkEntries, row, [lab], () => ({ ...networkPart(row), lab }));
      }),
    ),
    bridges: byName(
      [...db.table("Bridge")].map((row) => {
        const host = hosts.get(row.host) ?? "";
        return kept(bridgeEntries, row, [host], () => bridgeEntry(row, host));
      }),
    ),
    links: byName(
      [...db.table("Link")].map((row) => {
        const lab = nameIn(labs, row.lab);
        return kept(linkEntries, row, [lab], () => ({ ...linkPart(row), lab }));
      }),
    ),
    nodes: [...db.table("Node")]
      .map((row) => {
        const lab = nameIn(labs, row.lab);
        const host = hosts.get(row.host) ?? "";
        const own = nicsOf(row);
        return kept(nodeEntries, row, [lab, host, ...own], () => ({ ...nodePart(row), lab, host, nics: own }));
      })
      .sort((a, b) => a.objId - b.objId),
  };
}

/** An entry, and what it was made of beside its row. */
interface Kept<Entry> {
  readonly parts: readonly unknown[];
  readonly entry: Entry;
}

// Rows are frozen and shared by the replica, so what was made of one holds for as long as it does.
const labEntries = new WeakMap<LabRow, Kept<LabEntry>>();
const networkEntries = new WeakMap<NetworkRow, Kept<NetworkEntry>>();
const bridgeEntries = new WeakMap<BridgeRow, Kept<BridgeEntry>>();
const linkEntries = new WeakMap<LinkRow, Kept<LinkEntry>>();
const nodeEntries = new WeakMap<NodeRow, Kept<NodeEntry>>();
const nicEntries = new WeakMap<NicRow, Kept<NicEntry>>();

/** What was made of a row, or is made of it anew when one of `parts` is another than then. */
function kept<Row extends object, Entry>(
  cache: WeakMap<Row, Kept<Entry>>,
  row: Row,
  parts: readonly unknown[],
  make: () => Entry,
): Entry {
  const known = cache.get(row);
  if (known && areSame(known.parts, parts)) return known.entry;
  const entry = make();
  cache.set(row, { parts, entry });
  return entry;
}

function areSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function hostEntry(row: HostRow): HostEntry {
  return {
    uuid: row._uuid,
    name: row.name,
    curCfg: row.cur_cfg,
    agentPid: row.agent_pid,
    datapath: row.datapath,
    status: hostStatus(row.status),
  };
}

function labEntry(row: LabRow): LabEntry {
  return { uuid: row._uuid, name: row.name, file: row.file, checks: parseChecks(row.checks, `Lab ${row.name}`) };
}

function networkPart(row: NetworkRow) {
  const where = `Network ${row.name}`;
  return {
    uuid: row._uuid,
    name: row.name,
    ...parseMaking(row),
    cidr: sortAddresses([...row.cidr].map((text) => read(parseCidr, text, where))),
    gateway: sortAddresses([...row.gateway].map((text) => read(parseIp, text, where))),
    mtu: row.mtu,
    status: networkStatus(row.status),
  };
}

function nodePart(row: NodeRow) {
  return {
    uuid: row._uuid,
    name: row.name,
    objId: row.obj_id,
    spec: parseNodeConfig(row),
    status: nodeStatus(row.status),
  };
}

function nicPart(row: NicRow) {
  const where = `Nic ${row.name} ${row._uuid}`;
  return {
    uuid: row._uuid,
    index: row.index,
    name: row.name,
    mac: read(parseMac, row.mac, where),
    addresses: sortAddresses([...row.addresses].map((text) => read(parseCidr, text, where))),
    slot: row.slot,
    mtu: row.mtu,
    vlan: row.tag,
    trunks: [...row.trunks].toSorted((a, b) => a - b),
    spy: row.spy,
    ...parseNicConfig(row.config, where),
    status: nicStatus(row.status),
  };
}

function linkPart(row: LinkRow) {
  return { uuid: row._uuid, name: row.name, mtu: row.mtu, ...parseLinkConfig(row.config, `Link ${row.name}`) };
}

function read<T>(parser: (text: string) => T, text: string, where: string): T {
  try {
    return parser(text);
  } catch (cause) {
    throw new YardError("store.bad-row", `${where}: ${cause instanceof Error ? cause.message : text}`, {
      cause,
      where,
    });
  }
}

/** IPv4 first, each family in the order of the text: a set has no order of its own. */
export function sortAddresses<T extends Cidr | Ip>(list: readonly T[]): readonly T[] {
  return list.toSorted((a, b) => Number(a.includes(":")) - Number(b.includes(":")) || (a < b ? -1 : 1));
}

function byName<T extends { readonly name: string }>(list: readonly T[]): readonly T[] {
  return list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
