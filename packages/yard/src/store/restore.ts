/** What was declared put back, as it was before a change or after it, where nothing else has come in between. */
import { addressOf, parseCidr, YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import type { Change, ChangeOptions } from "./change.ts";
import { type Commanded, command } from "./command.ts";
import type { Place } from "./draft.ts";
import { isUndeclared } from "./implied.ts";
import {
  type BridgeRecord,
  type Edit,
  type NetworkRecord,
  type NicRecord,
  type NodeRecord,
  Snapshot,
  type Thing,
  thingText,
} from "./record.ts";
import type { Store } from "./store.ts";
import type { NicRow, NodeRow } from "./switchyard.gen.ts";

/**
 * Puts things back as they were before some edits, or again as they were after them, in one transaction. What is so
 * already stays.
 *
 * @throws YardError `history.outdated` when one of them, or what it needs, is by now neither as it was before nor as it was
 * after; OvsdbError
 */
export function restore(
  store: Store,
  edits: readonly Edit[],
  to: keyof Edit,
  place: Place,
  options?: ChangeOptions,
): Promise<Commanded> {
  return command(store, `restore what was ${to}`, place, options, (change) => {
    const now = new Snapshot(store.db);
    const strays = edits.flatMap(({ before, after }) => {
      const { what, name } = before ?? after ?? { what: "node", name: "" };
      const present = thingText(now.thing(what, name));
      return present === thingText(before) || present === thingText(after) ? [] : [`${what} ${name}`];
    });
    if (strays.length > 0) throw outdated(`${strays.join(", ")} ${strays.length > 1 ? "have" : "has"} changed since`);
    new Restoration(store, change, edits, to).write();
    return undefined;
  });
}

function outdated(message: string): YardError {
  return new YardError("history.outdated", message, { hint: "make the change that you want by itself" });
}

type Of<What extends Thing["what"]> = Extract<Thing, { readonly what: What }>;

class Restoration {
  readonly #wanted: readonly Thing[];
  /** What is not to be there. */
  readonly #unwanted: readonly Thing[];
  readonly #labs: Map<string, Uuid>;
  readonly #networks: Map<string, Uuid>;
  readonly #links: Map<string, Uuid>;

  constructor(
    private readonly store: Store,
    private readonly change: Change,
    edits: readonly Edit[],
    to: keyof Edit,
  ) {
    this.#wanted = edits.flatMap((edit) => edit[to] ?? []);
    this.#unwanted = edits.flatMap(
      ({ before, after }) => (to === "before" ? (before ? [] : after) : after ? [] : before) ?? [],
    );
    const uuids = (table: "Lab" | "Network" | "Link") =>
      new Map([...store.db.table(table)].map((row) => [row.name, row._uuid]));
    this.#labs = uuids("Lab");
    this.#networks = uuids("Network");
    this.#links = uuids("Link");
  }

  write(): void {
    const { db } = this.store;
    const { tx } = this.change;
    // What goes first leaves what others are to have.
    for (const { name } of this.#those("node", this.#unwanted)) {
      const row = db.table("Node").find({ name });
      if (row === undefined) continue;
      this.change.leaving.add(row._uuid);
      this.#delete("Node", row._uuid);
      for (const uuid of row.nics) tx.delete("Nic", uuid);
    }
    for (const { name, row } of this.#those("lab")) this.#labs.set(name, this.change.writeLab({ name, ...row }));
    for (const { name, row } of this.#those("network")) this.#writeNetwork(name, row);
    for (const { name, row } of this.#those("link")) this.#writeLink(name, row);
    const nodes = this.#those("node");
    this.#checkFree(nodes);
    for (const { name, row } of nodes) this.#writeNode(name, row);
    for (const { name, row } of this.#those("bridge")) this.#writeBridge(name, row);
    this.#deleteRest();
  }

  #those<What extends Thing["what"]>(what: What, from = this.#wanted): Of<What>[] {
    return from.filter((it): it is Of<What> => it.what === what);
  }

  #delete(table: "Node" | "Network" | "Link" | "Lab" | "Bridge", uuid: Uuid): void {
    this.change.tx.delete(table, uuid);
    this.change.changed = true;
  }

  /** Networks and links once no nic is on them any more, then the labs that they belonged to. */
  #deleteRest(): void {
    const { db } = this.store;
    for (const table of ["Network", "Link", "Bridge", "Lab"] as const) {
      const what = ({ Network: "network", Link: "link", Bridge: "bridge", Lab: "lab" } as const)[table];
      for (const { name } of this.#those(what, this.#unwanted)) {
        const row = db.table(table).find({ name });
        if (row === undefined) continue;
        const user = table === "Network" || table === "Link" ? this.#userOf(row._uuid) : undefined;
        if (user === undefined) this.#delete(table, row._uuid);
        // That it is there was nobody's declaration, but the first nic's that came.
        else if (!this.#isUndeclared(name)) throw outdated(`${what} ${name} is used by ${user} by now`);
      }
    }
  }

  #isUndeclared(network: string): boolean {
    const row = this.store.db.table("Network").find({ name: network });
    return row !== undefined && isUndeclared(row);
  }

  /** A nic that stays on a network or link, of a node that is not written here. */
  #userOf(uuid: Uuid): string | undefined {
    for (const { node, nic } of this.#others())
      if (nic.network === uuid || nic.link === uuid) return `${node.name}:${nic.name}`;
    return undefined;
  }

  /** The nics of nodes that stay as they are. */
  *#others(): Generator<{ readonly node: NodeRow; readonly nic: NicRow }> {
    const { db } = this.store;
    const written = new Set(this.#those("node").map(({ name }) => name));
    for (const node of db.table("Node")) {
      if (written.has(node.name) || this.change.leaving.has(node._uuid)) continue;
      for (const uuid of node.nics) {
        const nic = db.table("Nic").get(uuid);
        if (nic !== undefined) yield { node, nic };
      }
    }
  }

  /** @throws YardError `history.outdated` when somebody else has by now what a nic had */
  #checkFree(nodes: readonly Of<"node">[]): void {
    const wanted = new Map<string, string>();
    for (const { name, row } of nodes)
      for (const { network, mac, addresses, name: nic } of row.nics) {
        const on = network === null ? undefined : this.#networks.get(network);
        if (on === undefined) continue;
        for (const held of [mac, ...addresses.map((it) => addressOf(parseCidr(it)))])
          wanted.set(`${on} ${held}`, `${name}:${nic}`);
      }
    if (wanted.size === 0) return;
    for (const { node, nic } of this.#others())
      for (const held of [nic.mac, ...[...nic.addresses].map((it) => addressOf(parseCidr(it)))]) {
        const owner = wanted.get(`${nic.network} ${held}`);
        if (owner !== undefined) throw outdated(`${held}, which was ${owner}'s, is ${node.name}:${nic.name}'s by now`);
      }
  }

  #writeNetwork(name: string, { lab, mtu, cidr, gateway, options, ids, type }: NetworkRecord): void {
    const { tx } = this.change;
    const row = this.store.db.table("Network").find({ name });
    const sets = { cidr: new Set(cidr), gateway: new Set(gateway), options: mapOf(options) };
    const wanted = { name, type, lab: this.#lab(lab), mtu: mtu ?? undefined, ...sets };
    if (row) this.change.diff(row, wanted, (changed) => tx.update("Network", row._uuid, changed));
    else this.#networks.set(name, this.change.inserted(tx.insert("Network", { ...wanted, external_ids: mapOf(ids) })));
  }

  #writeLink(name: string, { lab, mtu, config }: Of<"link">["row"]): void {
    const { tx } = this.change;
    const row = this.store.db.table("Link").find({ name });
    const wanted = { name, lab: this.#lab(lab), mtu: mtu ?? undefined, config };
    if (row) this.change.diff(row, wanted, (changed) => tx.update("Link", row._uuid, changed));
    else this.#links.set(name, this.change.inserted(tx.insert("Link", wanted)));
  }

  #writeBridge(name: string, { host, mac, service, nat, pins, members }: BridgeRecord): void {
    const { tx } = this.change;
    const row = this.store.db.table("Bridge").find({ name });
    const maps = { service: mapOf(service), pins: mapOf(pins), members: new Set(members) };
    const wanted = { name, host: this.change.host(host), mac, nat, ...maps };
    if (row) this.change.diff(row, wanted, (changed) => tx.update("Bridge", row._uuid, changed));
    else this.change.inserted(tx.insert("Bridge", wanted));
  }

  #writeNode(name: string, { nics, ids, obj_id, lab, host, stopped, ...rest }: NodeRecord): void {
    const { db } = this.store;
    const { tx } = this.change;
    const row = db.table("Node").find({ name });
    const present = new Map(
      [...(row?.nics ?? [])].flatMap((uuid) => db.table("Nic").get(uuid) ?? []).map((nic) => [nic.name, nic]),
    );
    const holder = db.table("Node").find({ obj_id });
    const taken = holder !== undefined && holder._uuid !== row?._uuid && !this.change.leaving.has(holder._uuid);
    const own = new Set(nics.map((nic) => this.#writeNic(name, nic, present.get(nic.name))));
    for (const nic of present.values()) if (!own.has(nic._uuid)) tx.delete("Nic", nic._uuid);
    const place = { lab: this.#lab(lab), host: this.change.host(host), stopped: stopped ?? undefined };
    const wanted = { name, obj_id: taken ? this.change.ids.take() : obj_id, ...rest, ...place, nics: own };
    if (row) this.change.diff(row, wanted, (changed) => tx.update("Node", row._uuid, changed));
    else this.change.inserted(tx.insert("Node", { ...wanted, external_ids: mapOf(ids) }));
  }

  #writeNic(node: string, record: NicRecord, row: NicRow | undefined): Uuid {
    const { tx } = this.change;
    const { network, link, addresses, trunks, slot, mtu, tag, ...rest } = record;
    const holder = `${node}:${record.name}`;
    const on = {
      network: network === null ? undefined : this.#reference(this.#networks, "network", network, holder),
      link: link === null ? undefined : this.#reference(this.#links, "link", link, holder),
    };
    const numbers = { slot: slot ?? undefined, mtu: mtu ?? undefined, tag: tag ?? undefined };
    const wanted = { ...rest, ...on, ...numbers, addresses: new Set(addresses), trunks: new Set(trunks) };
    if (row === undefined) return this.change.inserted(tx.insert("Nic", wanted));
    this.change.diff(row, wanted, (changed) => tx.update("Nic", row._uuid, changed));
    return row._uuid;
  }

  #lab(name: string | null): Uuid | undefined {
    return name === null ? undefined : this.#reference(this.#labs, "lab", name, "what belonged to it");
  }

  #reference(uuids: ReadonlyMap<string, Uuid>, what: string, name: string, holder: string): Uuid {
    const uuid = uuids.get(name);
    if (uuid === undefined) throw outdated(`${what} ${name}, which ${holder} was on, is gone by now`);
    return uuid;
  }
}

function mapOf(record: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(record));
}
