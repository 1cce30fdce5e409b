import { YardError } from "@switchyard/base";
import { OvsdbError, type Uuid } from "@switchyard/ovsdb";
import type { Lab } from "../model/types.ts";
import { Change, type ChangeOptions } from "./change.ts";
import { checksText } from "./config.ts";
import type { Locate, Place } from "./draft.ts";
import { repeat } from "./repeat.ts";
import type { SettledNodes } from "./settled.ts";
import type { Store } from "./store.ts";

/** What a change to the store has come to. */
export interface Declared {
  /** Applied once every host's `cur_cfg` has reached it: see `waitApplied`. */
  readonly cfg: number;
  /** Whether any row was written. */
  readonly changed: boolean;
}

/**
 * Makes the store say what a lab says, in one transaction: writes the rows that differ, takes those of this lab away
 * that it no longer has, touches no other lab. An unchanged lab still has the agent look again.
 *
 * @throws YardError (YardErrors for several) `network.name-taken`, `node.name-taken`, `link.name-taken`,
 * `network.in-use`, `nic.network-unknown`, `nic.ip-taken`, `nic.mac-taken`, `network.addresses-exhausted`,
 * `address.outside-network`, `network.overlap`, `network.overlaps-host`, `node.ids-exhausted`, all before anything is
 * written; OvsdbError
 */
export async function declareLab(
  store: Store,
  lab: Lab,
  place: Place,
  { settled, ...options }: DeclareOptions = {},
): Promise<Declared> {
  const declared = await repeat(() =>
    declare(store, lab, place, options, settled).catch((error: unknown) => {
      // Whom a node that is settled is in the way of gets what it has, or is told so, when all are looked at.
      if (settled === undefined || error instanceof OvsdbError || !(error instanceof YardError)) throw error;
      return declare(store, lab, place, options, undefined);
    }),
  );
  // By now there may be more in the rows than this lab's declaration.
  if (store.db.table("Yard").single()?.next_cfg === declared.cfg) settled?.keep(store.db, lab.name, lab.nodes);
  return declared;
}

export interface DeclareOptions extends ChangeOptions {
  readonly locate?: Locate;
  /** Knows the nodes that need not be looked at, from one call to the next on one database. */
  readonly settled?: SettledNodes;
}

function declare(
  store: Store,
  lab: Lab,
  place: Place,
  { locate, ...options }: Omit<DeclareOptions, "settled">,
  settled: SettledNodes | undefined,
): Promise<Declared> {
  const { db } = store;
  return db.transact(
    (tx) => {
      const change = new Change(db, tx, place, locate);
      const uuid = change.writeLab({ name: lab.name, file: lab.file, checks: checksText(lab.checks) });
      const foreign = (owner: Uuid | undefined) => owner !== uuid;

      const nodeNames = new Set(lab.nodes.map((node) => node.name));
      const ours = db.table("Node").filter({ lab: uuid });
      for (const node of ours) if (!nodeNames.has(node.name)) change.nodes.delete(node);

      // A node that stays as it is needs nothing of the lab's own row, nor of nodes that go.
      const changed = change.changed;
      change.changed = false;
      const networkNames = new Set(lab.networks.map((network) => network.name));
      for (const network of db.table("Network").filter({ lab: uuid })) {
        if (networkNames.has(network.name)) continue;
        // A nic of this lab that is on it now will be elsewhere, or the model would have refused the lab.
        change.attempt(() => change.networks.delete(network, (node) => !foreign(node.lab)));
      }
      for (const spec of lab.networks) {
        const row = db.table("Network").find({ name: spec.name });
        if (row && foreign(row.lab)) change.attempt(() => refuseName("network", spec.name, labName(store, row.lab)));
        else change.networks.write(spec, row, uuid);
      }

      const linkNames = new Set(lab.links.map((link) => link.name));
      for (const link of db.table("Link").filter({ lab: uuid }))
        if (!linkNames.has(link.name)) change.delete("Link", link._uuid);
      for (const link of lab.links) {
        const row = db.table("Link").find({ name: link.name });
        if (row && foreign(row.lab)) change.attempt(() => refuseName("link", link.name, labName(store, row.lab)));
        else change.writeLink(link, uuid);
      }

      const nodes = lab.nodes.map((spec) => ({ spec, row: db.table("Node").find({ name: spec.name }) }));
      for (const { spec, row } of nodes)
        if (row && foreign(row.lab)) change.attempt(() => refuseName("node", spec.name, labName(store, row.lab)));
      const host = change.host(place.host);
      // What else has changed may concern any node.
      const open =
        change.changed || settled === undefined ? nodes : settled.unsettled(db, lab.name, nodes, { lab: uuid, host });
      change.changed ||= changed;
      change.nodes.write(open, uuid, host);
      change.finish();
      return { cfg: change.cfg, changed: change.changed };
    },
    { comment: `declare lab ${lab.name}`, ...options },
  );
}

/**
 * Takes labs away, with all of their nodes, networks and links, in one transaction. A lab that is not there is passed
 * over.
 *
 * @throws YardError `network.in-use` when a node of none of them attaches to a network of theirs; OvsdbError
 */
export function withdrawLabs(
  store: Store,
  names: readonly string[] | "all",
  options: ChangeOptions = {},
): Promise<Declared> {
  const { db } = store;
  const withdraw = () =>
    db.transact(
      (tx) => {
        const change = new Change(db, tx, undefined);
        const labs = [...db.table("Lab")].filter((lab) => names === "all" || names.includes(lab.name));
        for (const lab of labs)
          for (const node of db.table("Node").filter({ lab: lab._uuid })) change.nodes.delete(node);
        for (const lab of labs) {
          for (const network of db.table("Network").filter({ lab: lab._uuid }))
            change.attempt(() => change.networks.delete(network));
          for (const link of db.table("Link").filter({ lab: lab._uuid })) change.delete("Link", link._uuid);
          change.delete("Lab", lab._uuid);
        }
        change.finish();
        return { cfg: change.cfg, changed: change.changed };
      },
      { comment: `withdraw ${names === "all" ? "all labs" : names.join(", ")}`, ...options },
    );
  return repeat(withdraw);
}

function labName(store: Store, lab: Uuid | undefined): string | undefined {
  return lab === undefined ? undefined : store.db.table("Lab").get(lab)?.name;
}

function refuseName(what: "network" | "node" | "link", name: string, lab: string | undefined): never {
  const holder = lab === undefined ? "belongs to no lab: a single command made it" : `belongs to lab ${lab}`;
  const details = { hint: `names are unique in a yard: choose another, or use another yard (-y NAME)` };
  const message = `the ${what} ${name} ${holder}`;
  switch (what) {
    case "network":
      throw new YardError("network.name-taken", message, details);
    case "node":
      throw new YardError("node.name-taken", message, details);
    case "link":
      throw new YardError("link.name-taken", message, details);
  }
}
