import type { Database, Uuid } from "@switchyard/ovsdb";
import type { NicRow, SwitchyardTables } from "./switchyard.gen.ts";

/** What an operation on the store has made of it, by name. */
export interface Changes {
  readonly added: readonly Changed[];
  readonly changed: readonly Changed[];
  readonly removed: readonly Changed[];
}

export interface Changed {
  readonly what: "network" | "node" | "link" | "bridge";
  readonly name: string;
}

/** What is declared at one moment: rows are frozen and shared, so this costs a reference each. */
export type Declaration = ReadonlyMap<string, { readonly what: Changed; readonly rows: readonly object[] }>;

/** The declared part of the store, to compare with a later one. */
export function declarationOf(db: Database<SwitchyardTables>): Declaration {
  const found = new Map<string, { what: Changed; rows: readonly object[] }>();
  const add = (what: Changed["what"], name: string, rows: readonly object[]) =>
    found.set(`${what} ${name}`, { what: { what, name }, rows });
  for (const row of db.table("Network")) add("network", row.name, [row]);
  for (const row of db.table("Bridge")) add("bridge", row.name, [row]);
  for (const row of db.table("Link")) add("link", row.name, [row]);
  const nics = db.table("Nic");
  const nic = (uuid: Uuid): NicRow[] => {
    const row = nics.get(uuid);
    return row ? [row] : [];
  };
  for (const row of db.table("Node")) add("node", row.name, [row, ...[...row.nics].flatMap(nic)]);
  return found;
}

/** What lies between two declarations. */
export function changesBetween(before: Declaration, after: Declaration): Changes {
  const added: Changed[] = [];
  const changed: Changed[] = [];
  for (const [key, { what, rows }] of after) {
    const present = before.get(key);
    if (present === undefined) added.push(what);
    else if (!alike(present.rows, rows)) changed.push(what);
  }
  const removed = [...before].flatMap(([key, { what }]) => (after.has(key) ? [] : [what]));
  return { added, changed, removed };
}

/** Whether rows say the same but for what the agent tells in them. */
function alike(before: readonly object[], after: readonly object[]): boolean {
  if (before.length !== after.length) return false;
  return before.every((row, i) => row === after[i] || declaredText(row) === declaredText(after[i] ?? {}));
}

function declaredText(row: object): string {
  const entries = Object.entries(row).filter(([column]) => column !== "status" && column !== "external_ids");
  return JSON.stringify(entries.map(([column, value]) => [column, plain(value)]));
}

function plain(value: unknown): unknown {
  return value instanceof Set || value instanceof Map ? [...value].sort() : value;
}
