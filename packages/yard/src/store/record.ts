/**
 * What is declared, as data that outlives the rows: references are names, so that a row which has gone can be made
 * again, and a change can be told from a later one of the same thing.
 */
import type { Database, Uuid } from "@switchyard/ovsdb";
import { z } from "zod";
import { canonicalJson } from "./canonical.ts";
import type { BridgeRow, LabRow, LinkRow, NetworkRow, NicRow, NodeRow, SwitchyardTables } from "./switchyard.gen.ts";

const texts = z.array(z.string());
const map = z.record(z.string(), z.string());
const whole = z.int().nullable();
const name = z.string().nullable();

const labRecord = z.strictObject({ file: z.string(), checks: z.string() });
const networkRecord = z.strictObject({
  ...{ type: z.string(), lab: name, cidr: texts, gateway: texts, mtu: whole, options: map },
  /** What doors keep for themselves; not compared. */
  ids: map,
});
const nicRecord = z.strictObject({
  ...{ index: z.int(), name: z.string(), network: name, link: name, mac: z.string(), addresses: texts },
  ...{ slot: whole, mtu: whole, tag: whole, trunks: z.array(z.int()), spy: z.boolean(), config: z.string() },
});
const nodeRecord = z.strictObject({
  ...{ obj_id: z.int(), kind: z.string(), runtime: z.string(), lab: name, host: z.string(), stopped: whole },
  ...{ config: z.string(), nics: z.array(nicRecord), ids: map },
});
const linkRecord = z.strictObject({ lab: name, mtu: whole, config: z.string() });
const bridgeRecord = z.strictObject({
  ...{ host: z.string(), mac: z.string(), service: map, nat: z.boolean(), pins: map, members: texts },
});

/** One thing that is declared. */
const thing = z.discriminatedUnion("what", [
  z.strictObject({ what: z.literal("lab"), name: z.string(), row: labRecord }),
  z.strictObject({ what: z.literal("network"), name: z.string(), row: networkRecord }),
  z.strictObject({ what: z.literal("link"), name: z.string(), row: linkRecord }),
  z.strictObject({ what: z.literal("node"), name: z.string(), row: nodeRecord }),
  z.strictObject({ what: z.literal("bridge"), name: z.string(), row: bridgeRecord }),
]);
export type Thing = z.infer<typeof thing>;
export type NetworkRecord = z.infer<typeof networkRecord>;
export type NodeRecord = z.infer<typeof nodeRecord>;
export type NicRecord = z.infer<typeof nicRecord>;
export type BridgeRecord = z.infer<typeof bridgeRecord>;

/** What has become of one thing; null: it was not there, or is not any more. */
export const edit = z.strictObject({ before: thing.nullable(), after: thing.nullable() });
export type Edit = z.infer<typeof edit>;

/** A thing as it is told apart: what doors keep of it is none of that. */
export function thingText(of: Thing | null): string {
  if (of === null) return "";
  return canonicalJson("ids" in of.row ? { ...of, row: { ...of.row, ids: undefined } } : of);
}

/** A thing at one moment: the rows are frozen and shared, so this costs a reference each. */
interface Held {
  readonly rows: readonly object[];
  readonly record: () => Thing;
}

/** All that is declared at one moment. */
export class Snapshot {
  readonly #things = new Map<string, Held>();
  readonly #labs: ReadonlyMap<Uuid, string>;
  readonly #networks: ReadonlyMap<Uuid, string>;
  readonly #links: ReadonlyMap<Uuid, string>;
  readonly #hosts: ReadonlyMap<Uuid, string>;

  constructor(db: Database<SwitchyardTables>) {
    const names = (table: "Lab" | "Network" | "Link" | "Host") =>
      new Map([...db.table(table)].map((row) => [row._uuid, row.name]));
    this.#labs = names("Lab");
    this.#networks = names("Network");
    this.#links = names("Link");
    this.#hosts = names("Host");
    for (const row of db.table("Lab")) this.#hold("lab", row, [], () => labThing(row));
    for (const row of db.table("Network")) this.#hold("network", row, [], () => this.#network(row));
    for (const row of db.table("Link")) this.#hold("link", row, [], () => this.#link(row));
    for (const row of db.table("Bridge")) this.#hold("bridge", row, [], () => this.#bridge(row));
    const nics = db.table("Nic");
    for (const row of db.table("Node")) {
      const own = [...row.nics].flatMap((uuid) => nics.get(uuid) ?? []).toSorted((a, b) => a.index - b.index);
      this.#hold("node", row, own, () => this.#node(row, own));
    }
  }

  /** What lies between this moment and a later one. */
  editsTo(later: Snapshot): Edit[] {
    const keys = new Set([...this.#things.keys(), ...later.#things.keys()]);
    return [...keys].flatMap((key) => {
      const [held, now] = [this.#things.get(key), later.#things.get(key)];
      if (held?.rows.length === now?.rows.length && held?.rows.every((row, i) => row === now?.rows[i])) return [];
      const [before, after] = [held?.record() ?? null, now?.record() ?? null];
      return thingText(before) === thingText(after) ? [] : [{ before, after }];
    });
  }

  /** The thing of that kind and name; null when there is none. */
  thing(what: Thing["what"], name: string): Thing | null {
    return this.#things.get(`${what} ${name}`)?.record() ?? null;
  }

  #hold(what: Thing["what"], row: { readonly name: string }, more: readonly object[], record: () => Thing): void {
    this.#things.set(`${what} ${row.name}`, { rows: [row, ...more], record });
  }

  #network({ name, type, lab, cidr, gateway, mtu, options, external_ids }: NetworkRow): Thing {
    const common = { type, lab: nameIn(this.#labs, lab), mtu: mtu ?? null };
    const lists = { cidr: [...cidr].sort(), gateway: [...gateway].sort() };
    return { what: "network", name, row: { ...common, ...lists, options: plain(options), ids: plain(external_ids) } };
  }

  #link({ name, lab, mtu, config }: LinkRow): Thing {
    return { what: "link", name, row: { lab: nameIn(this.#labs, lab), mtu: mtu ?? null, config } };
  }

  #bridge({ name, host, mac, service, nat, pins, members }: BridgeRow): Thing {
    const maps = { service: plain(service), pins: plain(pins), members: [...members].sort() };
    return { what: "bridge", name, row: { host: this.#hosts.get(host) ?? "", mac, nat, ...maps } };
  }

  #node({ name, obj_id, kind, runtime, lab, host, stopped, config, external_ids }: NodeRow, nics: NicRow[]): Thing {
    const place = { lab: nameIn(this.#labs, lab), host: this.#hosts.get(host) ?? "", stopped: stopped ?? null };
    const own = nics.map((nic) => this.#nic(nic));
    return {
      what: "node",
      name,
      row: { obj_id, kind, runtime, ...place, config, nics: own, ids: plain(external_ids) },
    };
  }

  #nic({ index, name, network, link, mac, addresses, slot, mtu, tag, trunks, spy, config }: NicRow): NicRecord {
    const on = { network: nameIn(this.#networks, network), link: nameIn(this.#links, link) };
    const numbers = { slot: slot ?? null, mtu: mtu ?? null, tag: tag ?? null };
    const lists = { addresses: [...addresses].sort(), trunks: [...trunks].toSorted((a, b) => a - b) };
    return { index, name, mac, spy, config, ...on, ...numbers, ...lists };
  }
}

function labThing({ name, file, checks }: LabRow): Thing {
  return { what: "lab", name, row: { file, checks } };
}

function nameIn(names: ReadonlyMap<Uuid, string>, uuid: Uuid | undefined): string | null {
  return uuid === undefined ? null : (names.get(uuid) ?? null);
}

/** Sorted, so that the same is told the same. */
function plain(map: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
