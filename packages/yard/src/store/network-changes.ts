/** The part of a change that concerns networks: their rows, their subnets, and what nics attach to. */
import { addressOf, type Cidr, networkOf, parseCidr, parseIp, YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import { isMeant } from "../model/implied.ts";
import { makingConflicts } from "../model/making.ts";
import type { NetworkMaking, NetworkSpec } from "../model/types.ts";
import type { Target } from "./assign.ts";
import { serviceOf } from "./bridge-rows.ts";
import type { Draft } from "./draft.ts";
import {
  type Held,
  type HostSubnet,
  hostOverlap,
  hostSubnets,
  isOn,
  networkOverlap,
  type Subnets,
} from "./host-subnets.ts";
import { isUndeclared, meantRow, undeclared } from "./implied.ts";
import { makingOptions, parseMaking } from "./making.ts";
import { chooseSubnet, natSubnets } from "./subnet.ts";
import type { NetworkRow, NodeRow } from "./switchyard.gen.ts";

export class NetworkChanges {
  readonly #draft: Draft;
  readonly #targets = new Map<string, Target>();
  /** How the networks that are written here are made. */
  readonly #makings = new Map<string, NetworkMaking>();
  /** Of the networks that are written here: where the host is on them, and whether it was before. */
  readonly #subnetsOf = new Map<string, Subnets & { readonly settled: boolean }>();
  /** The networks that nobody had declared. */
  #undeclared: readonly NetworkRow[] | undefined;
  /** Networks that nobody had declared, and that are now, or the other way round. */
  readonly #renamed = new Set<Uuid>();
  #present: readonly HostSubnet[] | undefined;

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  /** Makes a network, or changes the row there is. */
  write(spec: NetworkSpec, row: NetworkRow | undefined, lab: Uuid | undefined): Uuid {
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
    const uuid = present?._uuid ?? this.#draft.inserted(this.#draft.tx.insert("Network", wanted));
    if (present) this.#draft.diff(present, wanted, (changed) => this.#draft.tx.update("Network", uuid, changed));
    this.#targets.set(name, { name, uuid, cidr, gateway, type });
    return uuid;
  }

  /** What nics have asked for by type and id becomes the network that is declared so. */
  #undeclaredTwin(spec: NetworkSpec): NetworkRow | undefined {
    this.#undeclared ??= [...this.#draft.db.table("Network")].filter(isUndeclared);
    return meantRow(
      this.#undeclared.filter(({ name }) => name !== spec.name),
      spec,
    );
  }

  /** The subnets of the networks but for one of them, and the host's. */
  #subnets(but: string): Cidr[] {
    const rows = [...this.#draft.db.table("Network")].filter(({ name }) => name !== but && !this.#targets.has(name));
    const written = [...this.#targets.values()].filter(({ name }) => name !== but);
    return [
      ...[...rows.map(subnetOf), ...written, ...this.#bridges()].flatMap(({ cidr }) => cidr),
      ...natSubnets(this.#draft.db),
      ...this.#host().map(({ cidr }) => cidr),
    ];
  }

  /** @throws YardError `network.in-use` when a nic of a node that stays, other than those `changing`, attaches to it */
  delete(network: NetworkRow, changing: (node: NodeRow) => boolean = () => false): void {
    const nics = new Map(
      this.#draft.db
        .table("Nic")
        .filter({ network: network._uuid })
        .map((nic) => [nic._uuid, nic.name]),
    );
    if (nics.size > 0) {
      for (const node of this.#draft.db.table("Node")) {
        if (this.#draft.leaving.has(node._uuid) || changing(node)) continue;
        for (const uuid of node.nics) {
          const nic = nics.get(uuid);
          if (nic === undefined) continue;
          throw new YardError("network.in-use", `network ${network.name} is still used by ${node.name}:${nic}`, {
            hint: `take that nic away first: yard detach ${node.name}:${nic}`,
          });
        }
      }
    }
    this.#draft.delete("Network", network._uuid);
  }

  /** What a nic attaches to. @throws YardError `nic.network-unknown` */
  target(name: string, holder: string): Target {
    const known = this.#targets.get(name);
    if (known) return known;
    const implied = undeclared(name);
    const written = implied && [...this.#makings].find(([, making]) => isMeant(making, implied))?.[0];
    if (written !== undefined) return this.target(written, holder);
    const named = this.#draft.db.table("Network").find({ name });
    const stays = (it: NetworkRow) => !this.#draft.gone.has(it._uuid);
    const meant = () => implied && meantRow([...this.#draft.db.table("Network")].filter(stays), implied);
    const row = named && stays(named) ? named : meant();
    if (row === undefined && implied !== undefined) {
      this.write(implied, undefined, undefined);
      return this.target(name, holder);
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

  /** Checks the networks that were written against all others, and takes away those that nobody needs any more. */
  finish(): void {
    this.#pruneUndeclared();
    this.#checkMakings();
    this.#checkSubnets();
  }

  /** Takes the networks away that nobody declares, when the last nic has left them. */
  #pruneUndeclared(): void {
    for (const row of this.#draft.db.table("Network")) {
      const { _uuid } = row;
      if (!isUndeclared(row) || this.#draft.gone.has(_uuid) || this.#renamed.has(_uuid)) continue;
      const nics = this.#draft.db.table("Nic").filter({ network: _uuid });
      if (this.#draft.departures.desert(_uuid, [...nics])) this.#draft.delete("Network", _uuid);
    }
  }

  /** Whether the networks that are written here can be made beside those that the yard has, in one switch. */
  #checkMakings(): void {
    if (this.#makings.size === 0) return;
    const others = [...this.#draft.db.table("Network")]
      .filter(
        ({ name, _uuid }) => !this.#makings.has(name) && !this.#draft.gone.has(_uuid) && !this.#renamed.has(_uuid),
      )
      .map((row) => ({ ...parseMaking(row), name: row.name }));
    const written = [...this.#makings].map(([name, making]) => ({ ...making, name }));
    const conflicts = makingConflicts([...others, ...written]);
    this.#draft.errors.push(
      ...conflicts.map(({ network, key, error }) => this.#draft.locate(["networks", network, key], error)),
    );
  }

  /** Whether the host can tell the networks that it is on apart, from each other and from what else it reaches. */
  #checkSubnets(): void {
    const others = [...this.#draft.db.table("Network")]
      .filter(({ name, _uuid }) => !this.#subnetsOf.has(name) && !this.#draft.gone.has(_uuid))
      .map((row) => ({ holder: `network "${row.name}"`, ...subnetOf(row) }));
    for (const [name, { settled, ...subnets }] of this.#subnetsOf) {
      const making = this.#makings.get(name);
      if (settled || making === undefined) continue;
      const network = { ...making, name, ...subnets };
      const error =
        hostOverlap(network, this.#host()) ?? networkOverlap(network, [...others, ...this.#bridges(network)]);
      if (error !== undefined) this.#draft.errors.push(this.#draft.locate(["networks", name, "cidr"], error));
    }
  }

  /** The subnets of the kernel's bridges that the host has addresses on, but for the one that a network is on. */
  #bridges(network?: NetworkMaking): Held[] {
    return [...this.#draft.db.table("Bridge")].flatMap((row) => {
      const service = serviceOf(row);
      const { name } = row;
      if (service.mode === "none" || (network && isOn(network, name))) return [];
      return [{ holder: `bridge "${name}"`, cidr: [networkOf(service.cidr)], gateway: [addressOf(service.cidr)] }];
    });
  }

  #host(): readonly HostSubnet[] {
    this.#present ??= hostSubnets(this.#draft.yard.name);
    return this.#present;
  }
}

function same<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === a.length;
}

function subnetOf(row: NetworkRow): Subnets {
  return { cidr: [...row.cidr].map(parseCidr), gateway: [...row.gateway].map(parseIp) };
}
