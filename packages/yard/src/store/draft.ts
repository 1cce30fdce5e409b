/**
 * One user's operation on the store, from inside its transaction. All writers of declared state bump `Yard.next_cfg`
 * and guard the number that they found, so they come one after another: whatever else a change reads from the replica
 * is of the same moment, and needs no guard of its own.
 */
import { YardError, YardErrors } from "@switchyard/base";
import type { Database, Transaction, Uuid } from "@switchyard/ovsdb";
import { difference } from "./difference.ts";
import { ObjIds } from "./ids.ts";
import { Departures } from "./implied.ts";
import type { SwitchyardTables } from "./switchyard.gen.ts";

/** Says of an error where it was written, by the way to it in the lab's file. */
export type Locate = (path: readonly string[], error: YardError) => YardError;

/** Where new nodes go. */
export interface Place {
  readonly yard: string;
  /** The name of the host; its row is made when it is not there. */
  readonly host: string;
}

/** What all parts of a change share: its transaction, the yard's numbers, what goes, and the errors found. */
export class Draft {
  /** The `next_cfg` that this change is. */
  readonly cfg: number;
  /** Whether more was written than the yard's own numbers. */
  changed = false;
  readonly yard: { readonly uuid: Uuid; readonly name: string };
  readonly ids: ObjIds;
  /** The links that are written, by name. */
  readonly links = new Map<string, Uuid>();
  /** The networks, links and labs that go. */
  readonly gone = new Set<Uuid>();
  /** The nodes that go. */
  readonly leaving = new Set<Uuid>();
  readonly departures = new Departures();
  readonly errors: YardError[] = [];

  /** @param place names a new yard */
  constructor(
    readonly db: Database<SwitchyardTables>,
    readonly tx: Transaction<SwitchyardTables>,
    place: Place | undefined,
    readonly locate: Locate = (_path, error) => error,
  ) {
    const row = tx.single("Yard");
    const numbers = { next_cfg: row?.next_cfg ?? 0, next_obj_id: row?.next_obj_id ?? 1 };
    const name = row?.name ?? place?.yard ?? "";
    this.yard = { name, uuid: row?._uuid ?? tx.insert("Yard", { name, ...numbers }) };
    this.cfg = numbers.next_cfg + 1;
    this.ids = new ObjIds(
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
      this.errors.push(error);
      return undefined;
    }
  }

  /** Writes the yard's numbers. @throws YardError, or YardErrors, when a part has failed: then nothing is written */
  finish(): void {
    const [first, ...others] = this.errors;
    if (first !== undefined) throw others.length === 0 ? first : new YardErrors([first, ...others]);
    this.tx.update("Yard", this.yard.uuid, { next_cfg: this.cfg, next_obj_id: this.ids.next });
  }

  delete(table: "Network" | "Link" | "Lab", uuid: Uuid): void {
    this.tx.delete(table, uuid);
    this.gone.add(uuid);
    this.changed = true;
  }

  /** Notes that a row is made. */
  inserted(uuid: Uuid): Uuid {
    this.changed = true;
    return uuid;
  }

  /** Writes what of a row is not as wanted. */
  diff<Row extends object>(row: Row, wanted: Partial<Row>, write: (changed: Partial<Row>) => void): void {
    const changed = difference(row, wanted);
    if (changed === undefined) return;
    this.changed = true;
    write(changed);
  }
}
