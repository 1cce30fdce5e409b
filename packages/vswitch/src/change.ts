import { YardError } from "@switchyard/base";
import type { RowInput, Transaction, Uuid } from "@switchyard/ovsdb";
import type {
  BridgeRow,
  InterfaceRow,
  MirrorRow,
  OpenVSwitchTables,
  PortRow,
  QoSRow,
} from "../schema/open_vswitch.gen.ts";
import { bridgeColumns, HUB, isHub, marks, OWNER, PURPOSE, vlanColumns } from "./marks.ts";
import { interfaceOf, NO_QOS, SPY } from "./observe.ts";
import type { BridgeState, MirrorState, PortState, Switch, SwitchChange, SwitchFailure } from "./types.ts";

type Tx = Transaction<OpenVSwitchTables>;

/** A bridge as the transaction finds or makes it. */
interface BridgeAt {
  readonly uuid: Uuid;
  readonly hub: boolean;
}

/** What a transaction came to. */
export interface Built {
  /** The new Open_vSwitch.next_cfg, after the commit; undefined when there was nothing to write. */
  readonly cfg: (() => number) | undefined;
  readonly failures: readonly SwitchFailure[];
}

/**
 * Writes a change into a transaction. Names are looked up in the replica without guards: what appears meanwhile runs
 * into the schema's indexes on names. That a row is ours is guarded.
 */
export class ChangeWriter {
  readonly #db: Switch;
  readonly #tx: Tx;
  readonly #owner: string;
  readonly #failures: SwitchFailure[] = [];
  readonly #bridges = new Map<string, BridgeAt>();
  readonly #ports = new Map<string, Uuid>();
  readonly #deleted = new Set<Uuid>();
  /** What this change gives a port for QoS that is there already, or takes from it. */
  readonly #queues = new Map<Uuid, Uuid | undefined>();
  #noQueue: Uuid | undefined;
  #homes: Map<Uuid, BridgeRow> | undefined;
  #writes = 0;

  constructor(db: Switch, tx: Tx, owner: string) {
    this.#db = db;
    this.#tx = tx;
    this.#owner = owner;
  }

  write(change: SwitchChange): Built {
    const root = this.#db.table("Open_vSwitch").single() ?? this.#tx.single("Open_vSwitch");
    const rootUuid = root?._uuid ?? this.#tx.insert("Open_vSwitch", {});
    for (const name of change.deleteMirrors ?? []) this.#deleteMirror(name);
    for (const name of change.deletePorts ?? []) if (!change.setPorts?.has(name)) this.#deletePort(name);
    for (const name of change.deleteBridges ?? [])
      if (!change.setBridges?.has(name)) this.#deleteBridge(rootUuid, name);
    for (const [name, state] of change.setBridges ?? [])
      this.#try("bridge", name, () => this.#setBridge(rootUuid, name, state));
    for (const [name, state] of change.setPorts ?? []) this.#try("port", name, () => this.#setPort(name, state));
    for (const [name, state] of change.setMirrors ?? []) this.#try("mirror", name, () => this.#setMirror(name, state));
    this.#sweepQueues();
    return {
      cfg: this.#writes > 0 ? this.#tx.increment("Open_vSwitch", rootUuid, "next_cfg") : undefined,
      failures: this.#failures,
    };
  }

  #setBridge(root: Uuid, name: string, state: BridgeState): void {
    const row = this.#db.table("Bridge").find({ name });
    if (row !== undefined && !this.#deleted.has(row._uuid)) {
      if (!this.#isOurs("Bridge", row._uuid)) throw takenBridge(name, row);
      this.#bridges.set(name, { uuid: row._uuid, hub: state.hub });
      this.#updateBridge(row, state);
      return;
    }
    if (this.#nameInUse(name)) throw taken(name, "a port");
    const external_ids = marks(this.#owner, state.purpose);
    const link = this.#tx.insert("Interface", { name, type: "internal", external_ids });
    const port = this.#tx.insert("Port", { name, interfaces: [link], tag: localTag(state), external_ids });
    const uuid = this.#tx.insert("Bridge", { name, ports: [port], external_ids, ...bridgeColumns(state) });
    this.#tx.mutate("Open_vSwitch", root, { bridges: { insert: [uuid] } });
    this.#writes++;
    this.#bridges.set(name, { uuid, hub: state.hub });
    this.#ports.set(name, port);
  }

  #updateBridge(row: BridgeRow, state: BridgeState): void {
    const wanted = bridgeColumns(state);
    const differs =
      row.datapath_type !== wanted.datapath_type ||
      row.rstp_enable !== wanted.rstp_enable ||
      !sameMap(row.other_config, wanted.other_config) ||
      !sameSet(row.flood_vlans, wanted.flood_vlans);
    if (differs) {
      this.#tx.update("Bridge", row._uuid, wanted);
      this.#writes++;
    }
    this.#mark("Bridge", row, state.purpose);
    const local = this.#db.table("Port").find({ name: row.name });
    if (local === undefined || local.tag === localTag(state)) return;
    this.#tx.update("Port", local._uuid, { tag: localTag(state) });
    this.#writes++;
  }

  #setPort(name: string, state: PortState): void {
    const bridge = this.#bridge(state.bridge);
    if (bridge === undefined) throw new YardError("switch.no-bridge", `the switch has no bridge ${state.bridge}`);
    const vlan = vlanColumns(state, bridge.hub);
    const row = this.#db.table("Port").find({ name });
    if (state.foreign) {
      if (row === undefined) throw new YardError("switch.no-port", `the switch has no port ${name}`);
      // The bridge that it leaves may be going.
      this.#deleted.delete(row._uuid);
      this.#ports.set(name, row._uuid);
      this.#move(row, bridge.uuid);
      this.#setVlan(row, vlan);
      return;
    }
    if (row !== undefined && !this.#deleted.has(row._uuid)) {
      if (!this.#isOurs("Port", row._uuid)) throw takenPort(this.#db, row);
      if (this.#bridges.has(name) || this.#db.table("Bridge").find({ name }) !== undefined)
        throw taken(name, "a bridge's own port");
      this.#ports.set(name, row._uuid);
      this.#move(row, bridge.uuid);
      this.#setVlan(row, vlan);
      if (row.protected !== state.protected) {
        this.#tx.update("Port", row._uuid, { protected: state.protected });
        this.#writes++;
      }
      this.#setQueue(row, state.keepsQueue);
      this.#mark("Port", row, state.purpose);
      const link = interfaceOf(this.#db, row);
      if (link !== undefined) this.#updateInterface(link, state);
      // It failed once, as its device was missing then: a new next_cfg makes the switch try again.
      if (link?.ofport === undefined || link.ofport < 0 || link.error !== undefined) this.#writes++;
      return;
    }
    if (this.#nameInUse(name)) throw taken(name, "an interface");
    const external_ids = marks(this.#owner, state.purpose);
    const { type, options, number } = state;
    const link = this.#tx.insert("Interface", { name, type, options, ofport_request: number, external_ids });
    this.#insertPort(name, bridge.uuid, {
      interfaces: [link],
      external_ids,
      protected: state.protected,
      ...(state.keepsQueue ? { qos: this.#queue() } : {}),
      ...vlan,
    });
  }

  #setQueue(row: PortRow, keeps: boolean): void {
    const present = row.qos === undefined ? undefined : this.#db.table("QoS").get(row.qos);
    // A QoS that somebody else gave the port is theirs.
    if (keeps === (present?.type === NO_QOS) || (!keeps && present?.external_ids.get(OWNER) !== this.#owner)) return;
    const qos = keeps ? this.#queue() : undefined;
    this.#queues.set(row._uuid, qos);
    this.#tx.update("Port", row._uuid, { qos });
    this.#writes++;
  }

  /** The one row that says it of all our ports. */
  #queue(): Uuid {
    const ours = (row: QoSRow) => row.type === NO_QOS && row.external_ids.get(OWNER) === this.#owner;
    this.#noQueue ??=
      this.#db.table("QoS").filter(ours)[0]?._uuid ??
      this.#tx.insert("QoS", { type: NO_QOS, external_ids: marks(this.#owner, "netem") });
    return this.#noQueue;
  }

  /** Rows of QoS stay when their last port goes (the table is one of roots). */
  #sweepQueues(): void {
    for (const { _uuid, external_ids } of this.#db.table("QoS")) {
      if (_uuid === this.#noQueue || external_ids.get(OWNER) !== this.#owner) continue;
      const has = (row: PortRow) => (this.#queues.has(row._uuid) ? this.#queues.get(row._uuid) : row.qos) === _uuid;
      const ports = this.#db.table("Port").filter(has);
      if (ports.some((row) => !this.#deleted.has(row._uuid))) continue;
      // References are counted before rows without any to them go.
      for (const port of ports) this.#tx.update("Port", port._uuid, { qos: undefined });
      this.#tx.delete("QoS", _uuid);
      this.#writes++;
    }
  }

  #setVlan(row: PortRow, vlan: ReturnType<typeof vlanColumns>): void {
    if (row.tag === vlan.tag && row.vlan_mode === vlan.vlan_mode && sameSet(row.trunks, vlan.trunks)) return;
    this.#tx.update("Port", row._uuid, vlan);
    this.#writes++;
  }

  #updateInterface(row: InterfaceRow, state: PortState): void {
    const type = row.type === "system" ? "" : row.type;
    const ofport_request = state.number ?? row.ofport_request;
    if (type !== state.type || !sameMap(row.options, state.options) || row.ofport_request !== ofport_request) {
      this.#tx.update("Interface", row._uuid, { type: state.type, options: state.options, ofport_request });
      this.#writes++;
    }
    this.#mark("Interface", row, state.purpose);
  }

  #setMirror(name: string, state: MirrorState): void {
    const bridge = this.#bridge(state.bridge);
    if (bridge === undefined) throw new YardError("switch.no-bridge", `the switch has no bridge ${state.bridge}`);
    const spied = this.#ports.get(state.port) ?? this.#db.table("Port").find({ name: state.port })?._uuid;
    if (spied === undefined || this.#deleted.has(spied))
      throw new YardError("switch.no-port", `the switch has no port ${state.port}`);
    const vlan = vlanColumns(state, bridge.hub);
    const selected = { select_src_port: [spied], select_dst_port: [spied] };
    const present = this.#spy(name, bridge.uuid);
    if (present !== undefined) {
      const { mirror, port } = present;
      const sees = [mirror.select_src_port, mirror.select_dst_port].every((ports) => sameSet(ports, [spied]));
      if (!sees) this.#tx.update("Mirror", mirror._uuid, selected);
      const alike = port.tag === vlan.tag && port.vlan_mode === vlan.vlan_mode && sameSet(port.trunks, vlan.trunks);
      if (!alike) this.#tx.update("Port", port._uuid, vlan);
      this.#mark("Mirror", mirror, state.purpose);
      const link = interfaceOf(this.#db, port);
      if (!sees || !alike || link?.ofport === undefined || link.ofport < 0) this.#writes++;
      return;
    }
    this.#deleteMirror(name);
    if (this.#nameInUse(name)) throw taken(name, "an interface");
    const external_ids = marks(this.#owner, SPY);
    const link = this.#tx.insert("Interface", { name, external_ids });
    const output_port = this.#insertPort(name, bridge.uuid, { interfaces: [link], external_ids, ...vlan });
    const mirror = this.#tx.insert("Mirror", {
      name,
      ...selected,
      output_port,
      external_ids: marks(this.#owner, state.purpose),
    });
    this.#tx.mutate("Bridge", bridge.uuid, { mirrors: { insert: [mirror] } });
  }

  /** A spy that is whole and on that bridge. */
  #spy(name: string, bridge: Uuid): { readonly mirror: MirrorRow; readonly port: PortRow } | undefined {
    const home = this.#db.table("Bridge").get(bridge);
    if (home === undefined) return undefined;
    for (const mirror of this.#db.table("Mirror").filter({ name })) {
      const ours = mirror.external_ids.get(OWNER) === this.#owner && home.mirrors.has(mirror._uuid);
      const port = mirror.output_port === undefined ? undefined : this.#db.table("Port").get(mirror.output_port);
      if (!ours || this.#deleted.has(mirror._uuid) || port?.name !== name || !home.ports.has(port._uuid)) continue;
      return { mirror, port };
    }
    return undefined;
  }

  #insertPort(name: string, bridge: Uuid, columns: RowInput<PortRow>): Uuid {
    const port = this.#tx.insert("Port", { name, ...columns });
    this.#tx.mutate("Bridge", bridge, { ports: { insert: [port] } });
    this.#ports.set(name, port);
    this.#writes++;
    return port;
  }

  #deleteMirror(name: string): void {
    for (const row of this.#db.table("Mirror").filter({ name })) {
      const home = this.#bridgeOfMirror(row._uuid);
      if (home === undefined || this.#deleted.has(row._uuid) || !this.#isOurs("Mirror", row._uuid)) continue;
      this.#tx.mutate("Bridge", home._uuid, { mirrors: { delete: [row._uuid] } });
      this.#deleted.add(row._uuid);
      this.#writes++;
    }
    // Somebody may have taken the mirror away, and left its port.
    const port = this.#db.table("Port").find({ name });
    if (port?.external_ids.get(PURPOSE) === SPY) this.#deletePort(name);
  }

  #deletePort(name: string): void {
    const row = this.#db.table("Port").find({ name });
    if (row === undefined || !this.#isOurs("Port", row._uuid)) return;
    const home = this.#homeOf(row._uuid);
    if (home === undefined || home.name === name || this.#deleted.has(row._uuid)) return;
    this.#tx.mutate("Bridge", home._uuid, { ports: { delete: [row._uuid] } });
    this.#deleted.add(row._uuid);
    this.#writes++;
  }

  #deleteBridge(root: Uuid, name: string): void {
    const row = this.#db.table("Bridge").find({ name });
    if (row === undefined || !this.#isOurs("Bridge", row._uuid)) return;
    this.#tx.mutate("Open_vSwitch", root, { bridges: { delete: [row._uuid] } });
    this.#deleted.add(row._uuid);
    for (const uuid of [...row.ports, ...row.mirrors]) this.#deleted.add(uuid);
    this.#writes++;
  }

  #move(row: PortRow, to: Uuid): void {
    const home = this.#homeOf(row._uuid);
    if (home === undefined || home._uuid === to) return;
    this.#tx.mutate("Bridge", home._uuid, { ports: { delete: [row._uuid] } });
    this.#tx.mutate("Bridge", to, { ports: { insert: [row._uuid] } });
    this.#writes++;
  }

  #bridge(name: string): BridgeAt | undefined {
    const known = this.#bridges.get(name);
    if (known !== undefined) return known;
    const row = this.#db.table("Bridge").find({ name });
    if (row === undefined || this.#deleted.has(row._uuid)) return undefined;
    const found = { uuid: row._uuid, hub: isHub(row) && row.external_ids.get(OWNER) === this.#owner };
    this.#bridges.set(name, found);
    return found;
  }

  #homeOf(port: Uuid): BridgeRow | undefined {
    if (this.#homes === undefined) {
      this.#homes = new Map();
      for (const bridge of this.#db.table("Bridge")) for (const uuid of bridge.ports) this.#homes.set(uuid, bridge);
    }
    return this.#homes.get(port);
  }

  #bridgeOfMirror(mirror: Uuid): BridgeRow | undefined {
    return this.#db.table("Bridge").filter((row) => row.mirrors.has(mirror))[0];
  }

  /** Bridges, ports and interfaces share one name space, as ovs-vsctl(8) has it. */
  #nameInUse(name: string): boolean {
    const port = this.#db.table("Port").find({ name });
    if (port !== undefined) return !this.#deleted.has(port._uuid);
    const link = this.#db.table("Interface").find({ name });
    if (this.#ports.has(name)) return true;
    if (link === undefined) return false;
    return !this.#db
      .table("Port")
      .filter((row) => row.interfaces.has(link._uuid))
      .every((row) => this.#deleted.has(row._uuid));
  }

  #isOurs<K extends "Bridge" | "Port" | "Mirror">(table: K, uuid: Uuid): boolean {
    return this.#tx.get(table, uuid)?.external_ids.get(OWNER) === this.#owner;
  }

  /** Others' external_ids on our rows stay. */
  #mark(
    table: "Bridge" | "Port" | "Interface" | "Mirror",
    row: BridgeRow | PortRow | InterfaceRow | MirrorRow,
    purpose: string,
  ): void {
    const wanted = marks(this.#owner, purpose);
    if (Object.entries(wanted).every(([key, value]) => row.external_ids.get(key) === value)) return;
    this.#tx.mutate(table, row._uuid, { external_ids: { set: wanted } });
    this.#writes++;
  }

  /** What refuses before it has written anything leaves the rest of the change as it is. */
  #try(kind: SwitchFailure["kind"], name: string, body: () => void): void {
    try {
      body();
    } catch (thrown) {
      if (!(thrown instanceof YardError) || !thrown.code.startsWith("switch.")) throw thrown;
      this.#failures.push({ kind, name, code: thrown.code, message: thrown.message, withdrawn: true });
    }
  }
}

function takenBridge(name: string, row: BridgeRow): YardError {
  const owner = row.external_ids.get(OWNER);
  const whose = owner === undefined ? "a bridge that somebody else made" : `a bridge of another owner, "${owner}"`;
  return taken(name, `${whose}; nics can be on it as it is, by type bridge and id ${name}`);
}

/** What somebody else has joined to a bridge by patches is on the bridge at their other end. */
function takenPort(db: Switch, row: PortRow): YardError {
  const peer = interfaceOf(db, row)?.options.get("peer");
  const beyond = peer === undefined ? undefined : db.table("Port").find({ name: peer });
  const bridge = beyond && db.table("Bridge").filter(({ ports }) => ports.has(beyond._uuid))[0];
  const way = bridge === undefined ? "" : `; nics can be on what is there, by type bridge and id ${bridge.name}`;
  return taken(row.name, `a port of another owner${way}`);
}

function taken(name: string, by: string): YardError {
  return new YardError("switch.name-taken", `the name ${name} is taken by ${by}`);
}

function localTag(state: BridgeState): number | undefined {
  return state.hub ? HUB.localVlan : undefined;
}

function sameSet<T>(set: ReadonlySet<T>, items: readonly T[]): boolean {
  return set.size === items.length && items.every((item) => set.has(item));
}

function sameMap(map: ReadonlyMap<string, string>, record: Readonly<Record<string, string>>): boolean {
  const entries = Object.entries(record);
  return map.size === entries.length && entries.every(([key, value]) => map.get(key) === value);
}
