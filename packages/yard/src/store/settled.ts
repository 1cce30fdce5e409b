/** Nodes of a lab that are as its file declares them, so that declaring it again need not look at them. */
import type { Database, Uuid } from "@switchyard/ovsdb";
import type { NodeSpec } from "../model/types.ts";
import type { NetworkRow, NicRow, NodeRow, SwitchyardTables } from "./switchyard.gen.ts";

/** What was declared of a node, and the rows that say so. */
interface Settled {
  readonly text: string;
  node: NodeRow;
  nics: readonly NicRow[];
  networks: readonly NetworkRow[];
}

/**
 * What was declared of nodes that have their addresses and numbers by themselves: a node of which that, its rows and its
 * networks are the same is as declared. Others come and go without a change of it, unless they want what it has.
 */
export class SettledNodes {
  readonly #labs = new Map<string, Map<string, Settled>>();

  /** Those of a lab that may be otherwise than their specs. */
  unsettled<Node extends { readonly spec: NodeSpec; readonly row: NodeRow | undefined }>(
    db: Database<SwitchyardTables>,
    lab: string,
    nodes: readonly Node[],
    where: { readonly lab: Uuid; readonly host: Uuid },
  ): Node[] {
    const known = this.#labs.get(lab);
    if (known === undefined) return [...nodes];
    return nodes.filter(({ spec, row }) => {
      const before = known.get(spec.name);
      if (before === undefined || row === undefined || row.lab !== where.lab || row.host !== where.host) return true;
      if (before.node !== row && !sameDeclared(before.node, row)) return true;
      if (textOf(spec) !== before.text) return true;
      const now = rowsOf(db, row);
      if (!alike(before.nics, now.nics) || !alike(before.networks, now.networks)) return true;
      Object.assign(before, now);
      return false;
    });
  }

  /** Keeps what a lab was declared to be, once that is committed. */
  keep(db: Database<SwitchyardTables>, lab: string, specs: readonly NodeSpec[]): void {
    const before = this.#labs.get(lab);
    const known = new Map<string, Settled>();
    for (const spec of specs) {
      const row = isByItself(spec) ? db.table("Node").find({ name: spec.name }) : undefined;
      if (row === undefined) continue;
      const text = textOf(spec);
      const settled = before?.get(spec.name);
      known.set(spec.name, settled?.text === text && settled.node === row ? settled : { text, ...rowsOf(db, row) });
    }
    this.#labs.set(lab, known);
  }
}

/** Whether a node takes part in nothing that others declare too: no link, no port of the host, no next hop to be left free. */
function isByItself({ kind, ports, nics }: NodeSpec): boolean {
  return (
    kind === "netns" &&
    ports.length === 0 &&
    nics.every(({ network, link, gateway }) => network !== undefined && link === undefined && gateway === undefined)
  );
}

function rowsOf(db: Database<SwitchyardTables>, node: NodeRow) {
  const nics: NicRow[] = [];
  const networks: NetworkRow[] = [];
  for (const uuid of node.nics) {
    const nic = db.table("Nic").get(uuid);
    const network = nic?.network === undefined ? undefined : db.table("Network").get(nic.network);
    if (nic) nics.push(nic);
    if (network) networks.push(network);
  }
  return { node, nics, networks };
}

function alike<Row extends object>(before: readonly Row[], now: readonly Row[]): boolean {
  return (
    before.length === now.length &&
    before.every((row, i) => {
      const other = now[i];
      return row === other || (other !== undefined && sameDeclared(row, other));
    })
  );
}

/** Whether rows say the same but for what the agent tells in them. A column that was not written is the same object. */
function sameDeclared<Row extends object>(a: Row, b: Row): boolean {
  for (const column in a) if (column !== "status" && column !== "external_ids" && a[column] !== b[column]) return false;
  return true;
}

const texts = new WeakMap<NodeSpec, string>();

function textOf(spec: NodeSpec): string {
  const known = texts.get(spec);
  if (known !== undefined) return known;
  const text = JSON.stringify(spec);
  texts.set(spec, text);
  return text;
}
