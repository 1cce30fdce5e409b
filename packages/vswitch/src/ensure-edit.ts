import { YardError } from "@switchyard/base";
import type { RowInput, Transaction, Uuid } from "@switchyard/ovsdb";
import type { BridgeRow, InterfaceRow, OpenVSwitchTables, PortRow } from "../schema/open_vswitch.gen.ts";
import { marks, OWNER, PURPOSE } from "./marks.ts";
import type { Switch } from "./types.ts";

export type SwitchTransaction = Transaction<OpenVSwitchTables>;

/** A step that takes one step of an edit back. */
export type UndoStep = (tx: SwitchTransaction) => void;

/** A port, and the bridge that it is on. */
export interface PlacedPort {
  readonly port: PortRow;
  readonly bridge: BridgeRow;
}

/** An interface to be made; its name is the port's unless it is one of a bond's. */
export type NewInterface = RowInput<InterfaceRow> & { readonly name: string };

/**
 * One operation on a switch, written into one transaction: what it reads is guarded, what it writes can be taken back
 * when the switch cannot make it. Rows that it makes bear the owner's mark.
 */
export class SwitchEdit {
  /** Names of interfaces that must work once the switch has taken the edit. */
  readonly watched = new Set<string>();
  readonly #undo: UndoStep[] = [];
  readonly #db: Switch;
  readonly #root: Uuid;
  #writes = 0;

  constructor(
    db: Switch,
    readonly tx: SwitchTransaction,
    readonly owner: string,
  ) {
    this.#db = db;
    this.#root = tx.single("Open_vSwitch")?._uuid ?? tx.insert("Open_vSwitch", {});
  }

  /** Whether anything is written. */
  get changed(): boolean {
    return this.#writes > 0;
  }

  bridge(name: string): BridgeRow | undefined {
    return this.tx.find("Bridge", { name });
  }

  /** @throws YardError `switch.no-bridge` */
  neededBridge(name: string): BridgeRow {
    const bridge = this.bridge(name);
    if (bridge !== undefined) return bridge;
    throw new YardError("switch.no-bridge", `there is no bridge named ${name}`, {
      hint: "the names of bridges are told by: yard ovs list",
    });
  }

  port(name: string): PlacedPort | undefined {
    const port = this.tx.find("Port", { name });
    if (port === undefined) return undefined;
    const home = [...this.#db.table("Bridge")].find(({ ports }) => ports.has(port._uuid));
    const bridge = home && this.tx.get("Bridge", home._uuid);
    return bridge?.ports.has(port._uuid) ? { port, bridge } : undefined;
  }

  /** The ports of a bridge without its own. */
  portsOf(bridge: BridgeRow): PortRow[] {
    return [...bridge.ports].flatMap((uuid) => {
      const port = this.tx.get("Port", uuid);
      return port === undefined || port.name === bridge.name ? [] : [port];
    });
  }

  interfacesOf(port: PortRow): InterfaceRow[] {
    return [...port.interfaces].flatMap((uuid) => this.tx.get("Interface", uuid) ?? []);
  }

  /** Whose a row is; undefined: nobody's, the operator's own. */
  ownerOf(row: Pick<BridgeRow, "external_ids">): string | undefined {
    return row.external_ids.get(OWNER);
  }

  /** Whether a row may be changed: it is of this owner, or of none. */
  mayChange(row: Pick<BridgeRow, "external_ids">): boolean {
    const owner = this.ownerOf(row);
    return owner === undefined || owner === this.owner;
  }

  /**
   * Bridges, ports and interfaces share one name space, as ovs-vsctl(8) has it.
   *
   * @throws YardError `switch.name-taken`
   */
  refuseTaken(name: string, what: "bridge" | "port"): void {
    const refuse = (by: string) => {
      throw new YardError("switch.name-taken", `cannot create a ${what} named ${name} because ${by} already exists`, {
        hint: "choose another name, or remove what has it",
      });
    };
    if (this.bridge(name) !== undefined) refuse(`a bridge named ${name}`);
    const port = this.tx.find("Port", { name });
    if (port !== undefined) {
      const on = this.port(name)?.bridge.name;
      refuse(`a port named ${name}${on === undefined ? "" : ` on bridge ${on}`}`);
    }
    if (this.tx.find("Interface", { name }) !== undefined) refuse(`an interface named ${name}`);
  }

  /** A new bridge with its own port. @throws YardError `switch.name-taken` */
  addBridge(name: string, columns: RowInput<BridgeRow>, purpose: string, local: RowInput<InterfaceRow> = {}): Uuid {
    this.refuseTaken(name, "bridge");
    const mark = marks(this.owner, purpose);
    const link = this.tx.insert("Interface", { ...local, name, type: "internal", external_ids: mark });
    const port = this.tx.insert("Port", { name, interfaces: [link], external_ids: mark });
    // What the caller gives as external_ids stands beside the mark.
    const external_ids = new Map([...entriesOf(columns.external_ids), ...Object.entries(mark)]);
    const bridge = this.tx.insert("Bridge", { ...columns, name, ports: [port], external_ids });
    this.tx.mutate("Open_vSwitch", this.#root, { bridges: { insert: [bridge] } });
    this.#wrote((tx) => {
      if (tx.get("Bridge", bridge) !== undefined)
        tx.mutate("Open_vSwitch", this.#root, { bridges: { delete: [bridge] } });
    });
    this.watched.add(name);
    return bridge;
  }

  /** A new port. @throws YardError `switch.name-taken` */
  addPort(
    bridge: Uuid,
    name: string,
    columns: RowInput<PortRow>,
    interfaces: readonly NewInterface[],
    purpose: string,
  ): Uuid {
    this.refuseTaken(name, "port");
    const mark = marks(this.owner, purpose);
    const links = interfaces.map((link) => {
      if (link.name !== name) this.refuseTaken(link.name, "port");
      const external_ids = new Map([...entriesOf(link.external_ids), ...Object.entries(mark)]);
      this.watched.add(link.name);
      return this.tx.insert("Interface", { ...link, external_ids });
    });
    const external_ids = new Map([...entriesOf(columns.external_ids), ...Object.entries(mark)]);
    const port = this.tx.insert("Port", { ...columns, name, interfaces: links, external_ids });
    this.tx.mutate("Bridge", bridge, { ports: { insert: [port] } });
    this.#wrote((tx) => {
      const home = tx.get("Bridge", bridge);
      if (home?.ports.has(port)) tx.mutate("Bridge", bridge, { ports: { delete: [port] } });
    });
    return port;
  }

  /** Moves a port to another bridge. */
  movePort({ port, bridge }: PlacedPort, to: Uuid): void {
    if (bridge._uuid === to) return;
    const move = (tx: SwitchTransaction, out: Uuid, into: Uuid) => {
      tx.mutate("Bridge", out, { ports: { delete: [port._uuid] } });
      tx.mutate("Bridge", into, { ports: { insert: [port._uuid] } });
    };
    const from = bridge._uuid;
    move(this.tx, from, to);
    this.#wrote((tx) => {
      if (tx.get("Bridge", from) && tx.get("Bridge", to)?.ports.has(port._uuid)) move(tx, to, from);
    });
  }

  removePort({ port, bridge }: PlacedPort): void {
    const links = this.interfacesOf(port).map(plain);
    const { interfaces: _, ...columns } = plain(port);
    this.tx.mutate("Bridge", bridge._uuid, { ports: { delete: [port._uuid] } });
    this.#wrote((tx) => {
      if (tx.get("Bridge", bridge._uuid) === undefined || tx.find("Port", { name: port.name }) !== undefined) return;
      const interfaces = links.map((link) => tx.insert("Interface", withoutStatus(link)));
      tx.mutate("Bridge", bridge._uuid, { ports: { insert: [tx.insert("Port", { ...columns, interfaces })] } });
    });
  }

  /** Removes a bridge with all that is on it; this is not taken back, as nothing can fail in it. */
  removeBridge(bridge: BridgeRow): void {
    this.tx.mutate("Open_vSwitch", this.#root, { bridges: { delete: [bridge._uuid] } });
    this.#wrote(() => {});
  }

  /** Sets those columns that are not so already. */
  set<K extends "Bridge" | "Port" | "Interface">(
    table: K,
    row: OpenVSwitchTables[K],
    columns: RowInput<OpenVSwitchTables[K]>,
  ): void {
    const before: Record<string, unknown> = {};
    const wanted: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(columns)) {
      const old: unknown = Reflect.get(row, name);
      if (same(old, value)) continue;
      before[name] = copied(old);
      wanted[name] = value;
    }
    if (Object.keys(wanted).length === 0) return;
    // Both are columns of this table, as `columns` are.
    this.tx.update(table, row._uuid, wanted as RowInput<OpenVSwitchTables[K]>);
    this.#wrote((tx) => {
      if (tx.get(table, row._uuid) !== undefined) tx.update(table, row._uuid, before as RowInput<OpenVSwitchTables[K]>);
    });
  }

  /** Gives a row the owner's mark, others' entries beside it as they are. */
  mark(table: "Bridge" | "Port" | "Interface", row: BridgeRow | PortRow | InterfaceRow, purpose: string): void {
    const wanted = marks(this.owner, purpose);
    const before = row.external_ids;
    if (before.get(OWNER) === wanted[OWNER] && before.get(PURPOSE) === purpose) return;
    const old = [OWNER, PURPOSE].flatMap((key) => (before.has(key) ? [[key, before.get(key) ?? ""] as const] : []));
    this.tx.mutate(table, row._uuid, { external_ids: { set: wanted } });
    this.#wrote((tx) => {
      if (tx.get(table, row._uuid) === undefined) return;
      tx.mutate(table, row._uuid, { external_ids: { delete: [OWNER, PURPOSE] } });
      tx.mutate(table, row._uuid, { external_ids: { set: old } });
    });
  }

  /** A write of another kind, with what takes it back. */
  wrote(undo: UndoStep): void {
    this.#wrote(undo);
  }

  /** Takes all steps back, in a transaction to come. */
  undo(tx: SwitchTransaction): boolean {
    for (const step of this.#undo.toReversed()) step(tx);
    if (this.#undo.length > 0 && tx.get("Open_vSwitch", this.#root))
      tx.increment("Open_vSwitch", this.#root, "next_cfg");
    return this.#undo.length > 0;
  }

  /** Ends the edit. @returns the configuration to wait for, known after the commit; undefined when nothing was written */
  finish(): (() => number) | undefined {
    // What failed once is tried again when the configuration's number rises. And the number of a switch that was
    // started anew, with its database, is that of its predecessor: it has taken nothing yet, and knows no states.
    const again = [...this.watched].some((name) => {
      const link = this.#db.table("Interface").find({ name });
      return link !== undefined && (!works(link) || link.admin_state === undefined);
    });
    return this.#writes > 0 || again ? this.tx.increment("Open_vSwitch", this.#root, "next_cfg") : undefined;
  }

  #wrote(undo: UndoStep): void {
    this.#writes++;
    this.#undo.push(undo);
  }
}

/**
 * After `cur_cfg` has arrived there is an OpenFlow number, or something failed (ovs-vswitchd.conf.db(5)). A patch whose
 * peer is not there yet is told of as an error too, but is made; of the two one must be the first.
 */
export function works(link: Pick<InterfaceRow, "type" | "ofport" | "error">): boolean {
  return link.ofport !== undefined && link.ofport >= 0 && (link.error === undefined || link.type === "patch");
}

function entriesOf(map: RowInput<BridgeRow>["external_ids"]): (readonly [string, string])[] {
  if (map === undefined) return [];
  return Symbol.iterator in map ? [...map] : Object.entries(map);
}

/** A row's columns as a new row takes them; those that are not monitored are left out. */
function plain<R extends { readonly _uuid: Uuid }>(row: R): Omit<R, "_uuid"> {
  const { _uuid: _, ...columns } = Object.fromEntries(
    Object.keys(row).map((name) => [name, copied(Reflect.get(row, name))]),
  );
  // The same columns, copied.
  return columns as unknown as Omit<R, "_uuid">;
}

function withoutStatus(row: Omit<InterfaceRow, "_uuid">): RowInput<InterfaceRow> {
  const { ofport: _, error: __, admin_state: ___, link_state: ____, ...columns } = row;
  return columns;
}

function copied(value: unknown): unknown {
  if (value instanceof Set) return new Set(value);
  return value instanceof Map ? new Map(value) : value;
}

function same(old: unknown, wanted: unknown): boolean {
  if (old instanceof Map) {
    const entries = wanted instanceof Map ? [...wanted] : Object.entries(wanted ?? {});
    return old.size === entries.length && entries.every(([key, value]) => old.get(key) === value);
  }
  if (old instanceof Set) {
    const items = isIterable(wanted) ? [...wanted] : [];
    return old.size === items.length && items.every((item) => old.has(item));
  }
  return old === wanted;
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}
