/** The part of a change that concerns nodes and their nics: their rows, numbers, MACs and addresses. */
import { addressOf, parseCidr, parseMac } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import { tooManyNics, tunnelPortTaken } from "../model/joints.ts";
import { nicDenial } from "../model/making.ts";
import type { NicSpec, NodeSpec } from "../model/types.ts";
import { Segment } from "./addresses.ts";
import { assign, lowestFree, type Placing } from "./assign.ts";
import { type NodeConfig, nicConfigText, nodeConfigText, parseNodeConfig } from "./config.ts";
import type { Draft } from "./draft.ts";
import type { NetworkChanges } from "./network-changes.ts";
import { portsTaken } from "./ports.ts";
import type { NicRow, NodeRow } from "./switchyard.gen.ts";

/** A nic that was put into a node. */
export interface Attached {
  readonly uuid: Uuid;
  /** What it was, and the name of the network that it was on; undefined: it was not there. */
  readonly before: { readonly row: NicRow; readonly network: string | undefined } | undefined;
}

export class NodeChanges {
  readonly #draft: Draft;
  readonly #networks: NetworkChanges;

  constructor(draft: Draft, networks: NetworkChanges) {
    this.#draft = draft;
    this.#networks = networks;
  }

  /**
   * Makes nodes, or changes those that have a row: these keep their numbers, and of their nics indexes, MACs and
   * addresses that were chosen for them.
   */
  write(
    nodes: readonly { readonly spec: NodeSpec; readonly row: NodeRow | undefined }[],
    lab: Uuid | undefined,
    host: Uuid,
  ): Uuid[] {
    const placed = nodes.map(({ spec, row }) => {
      const objId = row?.obj_id ?? this.#draft.attempt(() => this.#draft.ids.take()) ?? 0;
      return { spec, row, objId, nics: this.#placings(spec, row, objId) };
    });
    this.#assign(
      placed.flatMap((node) => node.nics),
      new Set(nodes.flatMap(({ row }) => [...(row?.nics ?? [])])),
    );
    this.#checkPorts(nodes, host);
    // With errors there is no row that could be written.
    if (this.#draft.errors.length > 0) return [];
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
      if (row === undefined) return this.#draft.inserted(this.#draft.tx.insert("Node", wanted));
      this.#deleteNics(row.nics.difference(wanted.nics));
      this.#draft.diff(row, wanted, (changed) => this.#draft.tx.update("Node", row._uuid, changed));
      return row._uuid;
    });
  }

  /** Must come before others are placed: what it leaves is free then. */
  delete(node: NodeRow): void {
    this.#draft.tx.delete("Node", node._uuid);
    this.#deleteNics(node.nics);
    this.#draft.leaving.add(node._uuid);
    this.#draft.changed = true;
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
    if (this.#draft.errors.length > 0) return undefined;
    const uuid = this.#writeNic(placing);
    if (before === undefined) this.setNics(node, [...node.nics, uuid]);
    const network =
      before?.network === undefined ? undefined : this.#draft.db.table("Network").get(before.network)?.name;
    return { uuid, before: before && { row: before, network } };
  }

  /** Writes anew what a node is but for its nics. */
  configure(node: NodeRow, spec: NodeConfig): void {
    this.#draft.diff(node, { config: nodeConfigText(spec) }, (changed) =>
      this.#draft.tx.update("Node", node._uuid, changed),
    );
  }

  setNics(node: NodeRow, nics: readonly Uuid[]): void {
    const wanted = { nics: new Set(nics) };
    this.#deleteNics(node.nics.difference(wanted.nics));
    this.#draft.diff(node, wanted, (changed) => this.#draft.tx.update("Node", node._uuid, changed));
  }

  /** @param grace seconds that it has for ending; undefined: it is to run */
  setStopped(node: NodeRow, grace: number | undefined): void {
    this.#draft.diff(node, { stopped: grace }, (changed) => this.#draft.tx.update("Node", node._uuid, changed));
  }

  setSpy(row: NicRow, spy: boolean): void {
    this.#draft.diff(row, { spy }, (changed) => this.#draft.tx.update("Nic", row._uuid, changed));
  }

  /** Puts a nic's row back to what it was. */
  restore(row: NicRow, { row: before, network: name }: NonNullable<Attached["before"]>): void {
    const { _uuid, status, external_ids, ...declared } = before;
    // One that nobody declares may have gone with it.
    const network = name === undefined ? undefined : this.#networks.target(name, row.name).uuid;
    this.#draft.diff(row, { ...declared, network }, (changed) => this.#draft.tx.update("Nic", row._uuid, changed));
    this.#draft.departures.written(row._uuid, network);
  }

  /** What other nodes of the host publish, and where their tunnels are. */
  #checkPorts(nodes: readonly { readonly spec: NodeSpec; readonly row: NodeRow | undefined }[], host: Uuid): void {
    const wanted = nodes.map(({ spec }) => ({ node: spec.name, ports: spec.ports }));
    const tunnels = nodes.flatMap(({ spec }) => {
      const port = tunnelPort(spec);
      return port === undefined ? [] : [{ node: spec.name, port }];
    });
    if (tunnels.length === 0 && wanted.every(({ ports }) => ports.length === 0)) return;
    const placed = new Set(nodes.flatMap(({ row }) => row?._uuid ?? []));
    const present = [...this.#draft.db.table("Node")]
      .filter((row) => row.host === host && !this.#draft.leaving.has(row._uuid) && !placed.has(row._uuid))
      .map((row) => ({ node: row.name, config: parseNodeConfig(row) }));
    for (const { node, port } of tunnels) {
      const other = present.find(({ config }) => tunnelPort(config) === port);
      const error = other && tunnelPortTaken(node, other.node, port);
      if (error) this.#draft.errors.push(this.#draft.locate(["nodes", node, "encrypt"], error));
    }
    const others = present.map(({ node, config }) => ({ node, ports: config.ports }));
    for (const { node, error } of portsTaken(wanted, others))
      this.#draft.errors.push(this.#draft.locate(["nodes", node, "ports"], error));
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
    const target =
      network === undefined ? undefined : this.#draft.attempt(() => this.#networks.target(network, holder));
    const denial = target && nicDenial(node.kind, target.type, holder);
    if (denial) this.#draft.errors.push(denial);
    return { spec, row, holder, objId, index, target, addresses: [], mac };
  }

  /** @param placed nics that are being placed: what they have now is not taken */
  #assign(placings: readonly Placing[], placed: ReadonlySet<Uuid>): void {
    const segments = new Map<Uuid, Segment>();
    for (const { target } of placings)
      if (target && !segments.has(target.uuid))
        segments.set(target.uuid, new Segment(target.name, target.gateway, target.type === "passthrough"));
    for (const node of segments.size === 0 ? [] : this.#draft.db.table("Node")) {
      if (this.#draft.leaving.has(node._uuid)) continue;
      for (const uuid of node.nics) {
        const nic = placed.has(uuid) ? undefined : this.#draft.db.table("Nic").get(uuid);
        const segment = nic?.network === undefined ? undefined : segments.get(nic.network);
        if (nic === undefined || segment === undefined) continue;
        const holder = `${node.name}:${nic.name}`;
        this.#draft.attempt(() => segment.enter(holder));
        for (const address of nic.addresses)
          this.#draft.attempt(() => segment.takeIp(addressOf(parseCidr(address)), holder));
        this.#draft.attempt(() => segment.takeMac(parseMac(nic.mac), holder));
      }
    }
    this.#draft.errors.push(...assign(placings, segments, this.#draft.yard.name));
  }

  #writeNic(nic: Placing): Uuid {
    const { spec, row } = nic;
    const wanted = {
      index: nic.index,
      name: spec.name,
      network: nic.target?.uuid,
      link: spec.link === undefined ? undefined : this.#draft.links.get(spec.link),
      mac: nic.mac ?? "",
      addresses: new Set<string>(nic.addresses),
      slot: spec.slot,
      mtu: spec.mtu,
      tag: spec.vlan,
      trunks: new Set(spec.trunks),
      spy: spec.spy,
      config: nicConfigText(spec),
    };
    const uuid = row?._uuid ?? this.#draft.inserted(this.#draft.tx.insert("Nic", wanted));
    if (row) this.#draft.diff(row, wanted, (changed) => this.#draft.tx.update("Nic", uuid, changed));
    this.#draft.departures.written(uuid, wanted.network);
    return uuid;
  }

  /**
   * They would go with the last reference to them, but only after the server has checked that no reference, theirs to
   * their network among them, points to a row that goes (update_ref_counts in ovsdb/transaction.c).
   */
  #deleteNics(uuids: Iterable<Uuid>): void {
    for (const uuid of uuids) {
      this.#draft.tx.delete("Nic", uuid);
      this.#draft.departures.deleted(uuid);
    }
  }

  #nicsOf(node: NodeRow): NicRow[] {
    const nics = this.#draft.db.table("Nic");
    return [...node.nics].flatMap((uuid) => nics.get(uuid) ?? []);
  }
}

/** The port that a node's tunnel is at; undefined: it has none. */
function tunnelPort(node: NodeConfig): number | undefined {
  return node.kind === "c2c" && node.to.type === "vxlan" ? node.to.encrypt?.port : undefined;
}
