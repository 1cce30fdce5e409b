/** What the door stands on: a yard whose agent runs, and what else it is lent. */
import type { Logger } from "@switchyard/base";
import type { NamespaceRef } from "@switchyard/linux";
import type { VmEngine } from "@switchyard/runtime";
import type { Engines } from "@switchyard/yard/agent";
import type { ContainerRuntime, Surroundings } from "@switchyard/yard/model";
import {
  type Commanded,
  carryOut,
  type NetworkEntry,
  type NodeEntry,
  type Note,
  rowsOf,
  type Scope,
  type Store,
  waitApplied,
} from "@switchyard/yard/store";

export interface Ground {
  readonly yard: string;
  readonly store: Store;
  /** The name of this host in the database. */
  readonly host: string;
  /** Rejects when the yard has no agent any more. */
  readonly died: Promise<never>;
  /** The namespace of the yard's switch. */
  readonly namespace: NamespaceRef;
  /** Where the switch's database listens. */
  readonly switchSocket: string;
  /** Runs an `ovs.*` command on the yard's switch. @param warn is told what people should know beside the answer */
  readonly ovs: (
    command: string,
    input: unknown,
    signal: AbortSignal,
    warn: (line: string) => void,
  ) => Promise<unknown>;
  readonly engines: Pick<Engines, "get">;
  /** What runs virtual machines, opened when it is first asked for. */
  readonly hypervisor: () => Promise<VmEngine>;
  /** What a container is made from, by the URL of the root that is asked for; `*` stands for every other. */
  readonly roots: ReadonlyMap<string, string>;
  readonly runtime: ContainerRuntime;
  readonly environment: Surroundings["environment"];
  readonly log: Logger;
}

/**
 * What a client sees as the network of the host: the links of the switch, and those of the host itself where a private
 * switch has a namespace of its own.
 */
export function hostNamespaces({ namespace }: Ground): readonly NamespaceRef[] {
  return namespace === "self" ? [namespace] : [namespace, "self"];
}

/** The entry of external_ids that is the door's. */
export const NOTE = "zeroos";

/** What the door keeps of a node or a network. */
export function note(table: Note["table"], name: string, value: object | undefined): Note {
  return { table, name, entries: { [NOTE]: value === undefined ? undefined : JSON.stringify(value) } };
}

/** What the door keeps of the nodes of a kind, in the order in which they were made. */
export function notedNodes(
  { store }: Pick<Ground, "store">,
  kind: NodeEntry["spec"]["kind"],
): { readonly node: NodeEntry; readonly noted: unknown }[] {
  const notes = new Map<string, string>();
  for (const row of store.db.table("Node")) {
    const text = row.external_ids.get(NOTE);
    if (text !== undefined && row.kind === kind) notes.set(row.name, text);
  }
  return rowsOf(store.db).nodes.flatMap((node) => {
    const text = notes.get(node.name);
    return text === undefined ? [] : [{ node, noted: JSON.parse(text) }];
  });
}

/**
 * Carries a command out on the yard's model, and waits for the agent's word.
 *
 * @param withdrawn what is noted when it fails and is withdrawn
 * @returns whether anything was changed
 * @throws YardError, YardErrors what kept it from being made so; then nothing of it is left
 */
export function change(
  { store, died }: Ground,
  scope: Scope,
  write: () => Promise<Commanded>,
  withdrawn: readonly Note[] = [],
): Promise<boolean> {
  const settle = async () => {
    const result = await write();
    const { failures } = await Promise.race([waitApplied(store, result.cfg, scope), died]);
    return { result, failures };
  };
  return carryOut(store, settle, { ...scope, died, withdrawal: { notes: withdrawn } });
}

export function networksOf({ store }: Ground): readonly NetworkEntry[] {
  return rowsOf(store.db).networks;
}
