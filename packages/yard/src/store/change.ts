/** A change with all its parts. */
import type { Uuid } from "@switchyard/ovsdb";
import type { LinkSpec } from "../model/types.ts";
import { linkConfigText } from "./config.ts";
import { Draft } from "./draft.ts";
import { NetworkChanges } from "./network-changes.ts";
import { NodeChanges } from "./node-changes.ts";
import type { BridgeRow } from "./switchyard.gen.ts";

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

export class Change extends Draft {
  readonly networks = new NetworkChanges(this);
  readonly nodes = new NodeChanges(this, this.networks);

  override finish(): void {
    this.networks.finish();
    super.finish();
  }

  /** Writes what a door keeps for itself. */
  note({ table, name, entries }: Note): void {
    const row = this.tx.find(table, { name });
    if (row === undefined) return;
    const external_ids = new Map(row.external_ids);
    for (const [key, value] of Object.entries(entries)) {
      if (value === undefined) external_ids.delete(key);
      else external_ids.set(key, value);
    }
    this.tx.update(table, row._uuid, { external_ids });
  }

  /** The row of a host, made when it is not there. */
  host(name: string): Uuid {
    const row = this.tx.find("Host", { name });
    return row?._uuid ?? this.tx.insert("Host", { name, cur_cfg: 0 });
  }

  /** Makes a lab's row, or changes the one there is. */
  writeLab(wanted: { readonly name: string; readonly file: string; readonly checks: string }): Uuid {
    const row = this.db.table("Lab").find({ name: wanted.name });
    if (row === undefined) return this.inserted(this.tx.insert("Lab", wanted));
    this.diff(row, wanted, (changed) => this.tx.update("Lab", row._uuid, changed));
    return row._uuid;
  }

  /** Makes a link, or changes the one there is. */
  writeLink({ name, mtu, impair }: LinkSpec, lab: Uuid | undefined): void {
    const wanted = { name, mtu, lab, config: linkConfigText({ impair }) };
    const row = this.db.table("Link").find({ name: wanted.name });
    const uuid = row?._uuid ?? this.inserted(this.tx.insert("Link", wanted));
    if (row) this.diff(row, wanted, (changed) => this.tx.update("Link", uuid, changed));
    this.links.set(wanted.name, uuid);
  }

  /** Writes the `config` of a nic, a link or a node. */
  setConfig(
    table: "Nic" | "Link" | "Node",
    row: { readonly _uuid: Uuid; readonly config: string },
    config: string,
  ): void {
    if (row.config === config) return;
    this.tx.update(table, row._uuid, { config });
    this.changed = true;
  }

  /** Declares a bridge of the kernel's own. */
  insertBridge(row: Pick<BridgeRow, "name" | "mac" | "host" | "service" | "nat">): Uuid {
    return this.inserted(this.tx.insert("Bridge", row));
  }

  updateBridge(row: BridgeRow, wanted: Partial<Pick<BridgeRow, "pins" | "members">>): void {
    this.diff(row, wanted, (changed) => this.tx.update("Bridge", row._uuid, changed));
  }

  deleteBridge(uuid: Uuid): void {
    this.tx.delete("Bridge", uuid);
    this.changed = true;
  }
}
