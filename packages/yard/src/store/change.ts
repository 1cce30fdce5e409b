/**
 * One user's operation on the store, from inside its transaction. All writers of declared state bump `Yard.next_cfg`
 * and guard the number that they found, so they come one after another: whatever else a change reads from the replica
 * is of the same moment, and needs no guard of its own.
 */
import { addressOf, type Cidr, networkOf, parseCidr, parseIp, parseMac, YardError, YardErrors } from "@switchyard/base";
import type { Database, Transaction, Uuid } from "@switchyard/ovsdb";
import { isMeant } from "../model/implied.ts";
import { tooManyNics } from "../model/joints.ts";
import { makingConflicts, nicDenial } from "../model/making.ts";
import type { LinkSpec, NetworkMaking, NetworkSpec, NicSpec, NodeSpec } from "../model/types.ts";
import { Segment } from "./addresses.ts";
import { assign, lowestFree, type Placing, type Target } from "./assign.ts";
import { serviceOf } from "./bridge-rows.ts";
import { linkConfigText, type NodeConfig, nicConfigText, nodeConfigText, parseNodeConfig } from "./config.ts";
import { difference } from "./difference.ts";
import {
  type Held,
  type HostSubnet,
  hostOverlap,
  hostSubnets,
  isOn,
  networkOverlap,
  type Subnets,
} from "./host-subnets.ts";
import { ObjIds } from "./ids.ts";
import { Departures, isUndeclared, meantRow, undeclared } from "./implied.ts";
import { makingOptions, parseMaking } from "./making.ts";
import { portsTaken } from "./ports.ts";
import { chooseSubnet, natSubnets } from "./subnet.ts";
import type { BridgeRow, NetworkRow, NicRow, NodeRow, SwitchyardTables } from "./switchyard.gen.ts";

/** Says of an error where it was written, by the way to it in the lab's file. */
export type Locate = (path: readonly string[], error: YardError) => YardError;

/** Where new nodes go. */
export interface Place {
  readonly yard: string;
  /** The name of the host; its row is made when it is not there. */
  readonly host: string;
}

/** What a door keeps of a node or a network beside the model, for itself: entries of its row's external_ids. */
export interface Note {
  readonly table: "Node" | "Network";
  readonly name: string;
  /** By key, `zeroos`; undefined takes the entry away. */
  readonly entries: Readonly<Record<string, string | undefined>>;
}

export interface ChangeOptions {
  readonly signal?: AbortSignal;
  /** Written in the same transaction; of rows that are not there then none is. */
  readonly notes?: readonly Note[];
}

/** A nic that was put into a node. */
export interface Attached {
  readonly uuid: Uuid;
  /** What it was, and the name of the network that it was on; undefined: it was not there. */
  readonly before: { readonly row: NicRow; readonly network: string | undefined } | undefined;
}

export class Change {
  /** The `next_cfg` that this change is. */
  readonly cfg: number;
  /** Whether more was written than the yard's own numbers. */
  changed = false;
  readonly #db: Database<SwitchyardTables>;
  readonly #tx: Transaction<SwitchyardTables>;
  readonly #yard: { readonly uuid: Uuid; readonly name: string };
  readonly #ids: ObjIds;
  readonly #targets = new Map<string, Target>();
  readonly #links = new Map<string, Uuid>();
  /** How the networks that are written here are made. */
  readonly #makings = new Map<string, NetworkMaking>();
  /** Of the networks that are written here: where the host is on them, and whether it was before. */
  readonly #subnetsOf = new Map<string, Subnets & { readonly settled: boolean }>();
  readonly #gone = new Set<Uuid>();
  readonly #leaving = new Set<Uuid>();
  readonly #departures = new Departures();
  /** The networks that nobody had declared. */
  #undeclared: readonly NetworkRow[] | undefined;
  /** Networks that nobody had declared, and that are now, or the other way round. */
  readonly #renamed = new Set<Uuid>();
  readonly #errors: YardError[] = [];
  readonly #locate: Locate;
  #present: readonly HostSubnet[] | undefined;

  /** @param place names a new yard */
  constructor(
    db: Database<SwitchyardTables>,
    tx: Transaction<SwitchyardTables>,
    place: Place | undefined,
    locate: Locate = (_path, error) => error,
  ) {
    this.#locate = locate;
    this.#db = db;
    this.#tx = tx;
    const row = tx.single("Yard");
    const numbers = { next_cfg: row?.next_cfg ?? 0, next_obj_id: row?.next_obj_id ?? 1 };
    const name = row?.name ?? place?.yard ?? "";
    this.#yard = { name, uuid: row?._uuid ?? tx.insert("Yard", { name, ...numbers }) };
    this.cfg = numbers.next_cfg + 1;
    this.#ids = new ObjIds(
      numbers.next_obj_id,
      [...db.table("Node")].map((node) => node.obj_id),
    );
  }

  /** Runs a part whose failure does not keep the others from being checked; {@link finish} throws it. */
  attempt<R>(part: () => R): R | undefined {
    try {
      return part();
    } catch (error) {
      if (!(error instanceof YardError)) throw error;
      this.#errors.push(error);
      return undefined;
    }
  }

  /** Writes the yard's numbers. @throws YardError, or YardErrors, when a part has failed: then nothing is written */
  finish(): void {
    this.#pruneUndeclared();
    this.#checkMakings();
    this.#checkSubnets();
    const [first, ...others] = this.#errors;
    if (first !== undefined) throw others.length === 0 ? first : new YardErrors([first, ...others]);
    this.#tx.update("Yard", this.#yard.uuid, { next_cfg: this.cfg, next_obj_id: this.#ids.next });
  }

  /** Whether the networks that are written here can be made beside those that the yard has, in one switch. */
  #checkMakings(): void {
    if (this.#makings.size === 0) return;
    const others = [...this.#db.table("Network")]
      .filter(({ name, _uuid }) => !this.#makings.has(name) && !this.#gone.has(_uuid) && !this.#renamed.has(_uuid))
      .map((row) => ({ ...parseMaking(row), name: row.name }));
    const written = [...this.#makings].map(([name, making]) => ({ ...making, name }));
    const conflicts = makingConflicts([...others, ...written]);
    this.#errors.push(...conflicts.map(({ network, key, error }) => this.#locate(["networks", network, key], error)));
  }

  /** Whether the host can tell the networks that it is on apart, from each other and from what else it reaches. */
  #checkSubnets(): void {
    const others = [...this.#db.table("Network")]
      .filter(({ name, _uuid }) => !this.#subnetsOf.has(name) && !this.#gone.has(_uuid))
      .map((row) => ({ holder: `network "${row.name}"`, ...subnetOf(row) }));
    for (const [name, { settled, ...subnets }] of this.#subnetsOf) {
      const making = this.#makings.get(name);
      if (settled || making === undefined) continue;
      const network = { ...making, name, ...subnets };
      const error =
        hostOverlap(network, this.#host()) ?? networkOverlap(network, [...others, ...this.#bridges(network)]);
      if (error !== undefined) this.#errors.push(this.#locate(["networks", name, "cidr"], error));
    }
  }

  /** The subnets of the kernel's bridges that the host has addresses on, but for the one that a network is on. */
  #bridges(network?: NetworkMaking): Held[] {
    return [...this.#db.table("Bridge")].flatMap((row) => {
      const service = serviceOf(row);
      const { name } = row;
      if (service.mode === "none" || (network && isOn(network, name))) return [];
      return [{ holder: `bridge "${name}"`, cidr: [networkOf(service.cidr)], gateway: [addressOf(service.cidr)] }];
    });
  }

  #host(): readonly HostSubnet[] {
    this.#present ??= hostSubnets(this.#yard.name);
    return this.#present;
  }

  /** Writes what a door keeps for itself. */
  note({ table, name, entries }: Note): void {
    const row = this.#tx.find(table, { name });
    if (row === undefined) return;
    const external_ids = new Map(row.external_ids);
    for (const [key, value] of Object.entries(entries)) {
      if (value === undefined) external_ids.delete(key);
      else external_ids.set(key, value);
    }
    this.#tx.update(table, row._uuid, { external_ids });
  }

  /** The row of a host, made when it is not there. */
  host(name: string): Uuid {
    const row = this.#tx.find("Host", { name });
    return row?._uuid ?? this.#tx.insert("Host", { name, cur_cfg: 0 });
  }

  /** Makes a lab's row, or changes the one there is. */
  writeLab(wanted: { readonly name: string; readonly file: string; readonly checks: string }): Uuid {
    const row = this.#db.table("Lab").find({ name: wanted.name });
    if (row === undefined) return this.#inserted(this.#tx.insert("Lab", wanted));
    this.#diff(row, wanted, (changed) => this.#tx.update("Lab", row._uuid, changed));
    return row._uuid;
  }

  /** Makes a network, or changes the row there is. */
  writeNetwork(spec: NetworkSpec, row: NetworkRow | undefined, lab: Uuid | undefined): Uuid {
    const { name, type, mtu } = spec;
    const before = row && subnetOf(row);
    const { cidr, gateway } = chooseSubnet(spec, before, () => this.#subnets(name));
    const settled = before !== undefined && same(before.cidr, cidr) && same(before.gateway, gateway);
    this.#subnetsOf.set(name, { cidr, gateway, settled });
    const wanted = {
      name,
      type,
      lab,
      mtu,
      cidr: new Set<string>(cidr),
      gateway: new Set<string>(gateway),
      options: makingOptions(spec),
    };
    this.#makings.set(name, spec);
    const present = row ?? this.#undeclaredTwin(spec);
    if (present && present.name !== name) this.#renamed.add(present._uuid);
    const uuid = present?._uuid ?? this.#inserted(this.#tx.insert("Network", wanted));
    if (present) this.#diff(present, wanted, (changed) => this.#tx.update("Network", uuid, changed));
    this.#targets.set(name, { name, uuid, cidr, gateway, type });
    return uuid;
  }

  /** What nics have asked for by type and id becomes the network that is declared so. */
  #undeclaredTwin(spec: NetworkSpec): NetworkRow | undefined {
    this.#undeclared ??= [...this.#db.table("Network")].filter(isUndeclared);
    return meantRow(
      this.#undeclared.filter(({ name }) => name !== spec.name),
      spec,
    );
  }

  /** The subnets of the networks but for one of them, and the host's. */
  #subnets(but: string): Cidr[] {
    const rows = [...this.#db.table("Network")].filter(({ name }) => name !== but && !this.#targets.has(name));
    const written = [...this.#targets.values()].filter(({ name }) => name !== but);
    return [
      ...[...rows.map(subnetOf), ...written, ...this.#bridges()].flatMap(({ cidr }) => cidr),
      ...natSubnets(this.#db),
      ...this.#host().map(({ cidr }) => cidr),
    ];
  }

  /** Makes a link, or changes the one there is. */
  writeLink({ name, mtu, impair }: LinkSpec, lab: Uuid | undefined): void {
    const wanted = { name, mtu, lab, config: linkConfigText({ impair }) };
    const row = this.#db.table("Link").find({ name: wanted.name });
    const uuid = row?._uuid ?? this.#inserted(this.#tx.insert("Link", wanted));
    if (row) this.#diff(row, wanted, (changed) => this.#tx.update("Link", uuid, changed));
    this.#links.set(wanted.name, uuid);
  }

  delete(table: "Network" | "Link" | "Lab", uuid: Uuid): void {
    this.#tx.delete(table, uuid);
    this.#gone.add(uuid);
    this.changed = true;
  }

  /** Takes the networks away that nobody declares, when the last nic has left them. */
  #pruneUndeclared(): void {
    for (const row of this.#db.table("Network")) {
      const { _uuid } = row;
      if (!isUndeclared(row) || this.#gone.has(_uuid) || this.#renamed.has(_uuid)) continue;
      const nics = this.#db.table("Nic").filter({ network: _uuid });
      if (this.#departures.desert(_uuid, [...nics])) this.delete("Network", _uuid);
    }
  }

  /** Declares a bridge of the kernel's own. */
  insertBridge(row: Pick<BridgeRow, "name" | "mac" | "host" | "service" | "nat">): Uuid {
    return this.#inserted(this.#tx.insert("Bridge", row));
  }

  updateBridge(row: BridgeRow, wanted: Partial<Pick<BridgeRow, "pins" | "members">>): void {
    this.#diff(row, wanted, (changed) => this.#tx.update("Bridge", row._uuid, changed));
  }

  deleteBridge(uuid: Uuid): void {
    this.#tx.delete("Bridge", uuid);
    this.changed = true;
  }

  /** Must come before others are placed: what it leaves is free then. */
  deleteNode(node: NodeRow): void {
    this.#tx.delete("Node", node._uuid);
    this.#deleteNics(node.nics);
    this.#leaving.add(node._uuid);
    this.changed = true;
  }

  /**
   * They would go with the last reference to them, but only after the server has checked that no reference, theirs to
   * their network among them, points to a row that goes (update_ref_counts in ovsdb/transaction.c).
   */
  #deleteNics(uuids: Iterable<Uuid>): void {
    for (const uuid of uuids) {
      this.#tx.delete("Nic", uuid);
      this.#departures.deleted(uuid);
    }
  }

  /** @throws YardError `network.in-use` when a nic of a node that stays, other than those `changing`, attaches to it */
  deleteNetwork(network: NetworkRow, changing: (node: NodeRow) => boolean = () => false): void {
    const nics = new Map(
      this.#db
        .table("Nic")
        .filter({ network: network._uuid })
        .map((nic) => [nic._uuid, nic.name]),
    );
    if (nics.size > 0) {
      for (const node of this.#db.table("Node")) {
        if (this.#leaving.has(node._uuid) || changing(node)) continue;
        for (const uuid of node.nics) {
          const nic = nics.get(uuid);
          if (nic === undefined) continue;
          throw new YardError("network.in-use", `network ${network.name} is still used by ${node.name}:${nic}`, {
            hint: `take that nic away first: yard detach ${node.name}:${nic}`,
          });
        }
      }
    }
    this.delete("Network", network._uuid);
  }

  /**
   * Makes nodes, or changes those that have a row: these keep their numbers, and of their nics indexes, MACs and
   * addresses that were chosen for them.
   */
  writeNodes(
    nodes: readonly { readonly spec: NodeSpec; readonly row: NodeRow | undefined }[],
    lab: Uuid | undefined,
    host: Uuid,
  ): Uuid[] {
    const placed = nodes.map(({ spec, row }) => {
      const objId = row?.obj_id ?? this.attempt(() => this.#ids.take()) ?? 0;
      return { spec, row, objId, nics: this.#placings(spec, row, objId) };
    });
    this.#assign(
      placed.flatMap((node) => node.nics),
      new Set(nodes.flatMap(({ row }) => [...(row?.nics ?? [])])),
    );
    this.#checkPorts(nodes, host);
    // With errors there is no row that could be written.
    if (this.#errors.length > 0) return [];
    return placed.map(({ spec, row, objId, nics }) => {
      const wanted = {
        name: spec.name,
        obj_id: objId,
        kind: spec.kind,
        runtime: "runtime" in spec ? spec.runtime : "",
        lab,
        host,
        nics: new Set(nics.map((nic) => this.#writeNic(nic))),
        config: nodeConfigText(spec),
      };
      if (row === undefined) return this.#inserted(this.#tx.insert("Node", wanted));
      this.#deleteNics(row.nics.difference(wanted.nics));
      this.#diff(row, wanted, (changed) => this.#tx.update("Node", row._uuid, changed));
      return row._uuid;
    });
  }

  /** What other nodes of the host publish. */
  #checkPorts(nodes: readonly { readonly spec: NodeSpec; readonly row: NodeRow | undefined }[], host: Uuid): void {
    const wanted = nodes.map(({ spec }) => ({ node: spec.name, ports: spec.ports }));
    if (wanted.every(({ ports }) => ports.length === 0)) return;
    const placed = new Set(nodes.flatMap(({ row }) => row?._uuid ?? []));
    const others = [...this.#db.table("Node")]
      .filter((row) => row.host === host && !this.#leaving.has(row._uuid) && !placed.has(row._uuid))
      .map((row) => ({ node: row.name, ports: parseNodeConfig(row).ports }));
    for (const { node, error } of portsTaken(wanted, others))
      this.#errors.push(this.#locate(["nodes", node, "ports"], error));
  }

  /**
   * Puts a nic into a node: a new one under the lowest free index, or the one of that name, which keeps its MAC unless
   * another is asked for.
   */
  attach(node: NodeRow, spec: NicSpec): Attached | undefined {
    const rows = this.#nicsOf(node);
    const before = rows.find((row) => row.name === spec.name);
    const many = tooManyNics(parseNodeConfig(node), rows.length + (before ? 0 : 1));
    if (many) throw many;
    const index = before?.index ?? lowestFree(new Set(rows.map((row) => row.index)));
    const placing = this.#placing(node, node.obj_id, index, spec, before);
    if (before && spec.slot === undefined) placing.mac ??= parseMac(before.mac);
    this.#assign([placing], new Set(before ? [before._uuid] : []));
    if (this.#errors.length > 0) return undefined;
    const uuid = this.#writeNic(placing);
    if (before === undefined) this.setNics(node, [...node.nics, uuid]);
    const network = before?.network === undefined ? undefined : this.#db.table("Network").get(before.network)?.name;
    return { uuid, before: before && { row: before, network } };
  }

  /** Writes anew what a node is but for its nics. */
  configure(node: NodeRow, spec: NodeConfig): void {
    this.#diff(node, { config: nodeConfigText(spec) }, (changed) => this.#tx.update("Node", node._uuid, changed));
  }

  setNics(node: NodeRow, nics: readonly Uuid[]): void {
    const wanted = { nics: new Set(nics) };
    this.#deleteNics(node.nics.difference(wanted.nics));
    this.#diff(node, wanted, (changed) => this.#tx.update("Node", node._uuid, changed));
  }

  setSpy(row: NicRow, spy: boolean): void {
    this.#diff(row, { spy }, (changed) => this.#tx.update("Nic", row._uuid, changed));
  }

  /** Puts a nic's row back to what it was. */
  restore(row: NicRow, { row: before, network: name }: NonNullable<Attached["before"]>): void {
    const { _uuid, status, external_ids, ...declared } = before;
    // One that nobody declares may have gone with it.
    const network = name === undefined ? undefined : this.#target(name, row.name).uuid;
    this.#diff(row, { ...declared, network }, (changed) => this.#tx.update("Nic", row._uuid, changed));
    this.#departures.written(row._uuid, network);
  }

  /** Writes the `config` of a nic, a link or a node. */
  setConfig(
    table: "Nic" | "Link" | "Node",
    row: { readonly _uuid: Uuid; readonly config: string },
    config: string,
  ): void {
    if (row.config === config) return;
    this.#tx.update(table, row._uuid, { config });
    this.changed = true;
  }

  #placings(spec: NodeSpec, row: NodeRow | undefined, objId: number): Placing[] {
    const rows = new Map((row ? this.#nicsOf(row) : []).map((nic) => [nic.name, nic]));
    const used = new Set(spec.nics.flatMap((nic) => rows.get(nic.name)?.index ?? []));
    return spec.nics.map((nic) => {
      const present = rows.get(nic.name);
      const index = present?.index ?? lowestFree(used);
      used.add(index);
      return this.#placing(spec, objId, index, nic, present);
    });
  }

  #placing(
    node: { readonly name: string; readonly kind: string },
    objId: number,
    index: number,
    spec: NicSpec,
    row: NicRow | undefined,
  ): Placing {
    const holder = `${node.name}:${spec.name}`;
    const { network, mac } = spec;
    const target = network === undefined ? undefined : this.attempt(() => this.#target(network, holder));
    const denial = target && nicDenial(node.kind, target.type, holder);
    if (denial) this.#errors.push(denial);
    return { spec, row, holder, objId, index, target, addresses: [], mac };
  }

  #target(name: string, holder: string): Target {
    const known = this.#targets.get(name);
    if (known) return known;
    const implied = undeclared(name);
    const written = implied && [...this.#makings].find(([, making]) => isMeant(making, implied))?.[0];
    if (written !== undefined) return this.#target(written, holder);
    const named = this.#db.table("Network").find({ name });
    const stays = (it: NetworkRow) => !this.#gone.has(it._uuid);
    const meant = () => implied && meantRow([...this.#db.table("Network")].filter(stays), implied);
    const row = named && stays(named) ? named : meant();
    if (row === undefined && implied !== undefined) {
      this.writeNetwork(implied, undefined, undefined);
      return this.#target(name, holder);
    }
    if (row === undefined)
      throw new YardError("nic.network-unknown", `${holder} attaches to network ${name}, which the yard does not have`);
    const target = {
      name: row.name,
      uuid: row._uuid,
      ...subnetOf(row),
      type: parseMaking(row).type,
    };
    this.#targets.set(name, target);
    return target;
  }

  /** @param placed nics that are being placed: what they have now is not taken */
  #assign(placings: readonly Placing[], placed: ReadonlySet<Uuid>): void {
    const segments = new Map<Uuid, Segment>();
    for (const { target } of placings)
      if (target && !segments.has(target.uuid))
        segments.set(target.uuid, new Segment(target.name, target.gateway, target.type === "passthrough"));
    for (const node of segments.size === 0 ? [] : this.#db.table("Node")) {
      if (this.#leaving.has(node._uuid)) continue;
      for (const uuid of node.nics) {
        const nic = placed.has(uuid) ? undefined : this.#db.table("Nic").get(uuid);
        const segment = nic?.network === undefined ? undefined : segments.get(nic.network);
        if (nic === undefined || segment === undefined) continue;
        const holder = `${node.name}:${nic.name}`;
        this.attempt(() => segment.enter(holder));
        for (const address of nic.addresses) this.attempt(() => segment.takeIp(addressOf(parseCidr(address)), holder));
        this.attempt(() => segment.takeMac(parseMac(nic.mac), holder));
      }
    }
    this.#errors.push(...assign(placings, segments, this.#yard.name));
  }

  #writeNic(nic: Placing): Uuid {
    const { spec, row } = nic;
    const wanted = {
      index: nic.index,
      name: spec.name,
      network: nic.target?.uuid,
      link: spec.link === undefined ? undefined : this.#links.get(spec.link),
      mac: nic.mac ?? "",
      addresses: new Set<string>(nic.addresses),
      slot: spec.slot,
      mtu: spec.mtu,
      tag: spec.vlan,
      trunks: new Set(spec.trunks),
      spy: spec.spy,
      config: nicConfigText(spec),
    };
    const uuid = row?._uuid ?? this.#inserted(this.#tx.insert("Nic", wanted));
    if (row) this.#diff(row, wanted, (changed) => this.#tx.update("Nic", uuid, changed));
    this.#departures.written(uuid, wanted.network);
    return uuid;
  }

  #nicsOf(node: NodeRow): NicRow[] {
    const nics = this.#db.table("Nic");
    return [...node.nics].flatMap((uuid) => nics.get(uuid) ?? []);
  }

  #inserted(uuid: Uuid): Uuid {
    this.changed = true;
    return uuid;
  }

  #diff<Row extends object>(row: Row, wanted: Partial<Row>, write: (changed: Partial<Row>) => void): void {
    const changed = difference(row, wanted);
    if (changed === undefined) return;
    this.changed = true;
    write(changed);
  }
}

function same<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === a.length;
}

function subnetOf(row: NetworkRow): Subnets {
  return { cidr: [...row.cidr].map(parseCidr), gateway: [...row.gateway].map(parseIp) };
}
