import type { NicEntry, Rows } from "@switchyard/yard/store";
import { counted } from "./render/duration.ts";

/** What an operation on the store made of it, by name. */
export interface Changes {
  readonly added: readonly Change[];
  readonly changed: readonly Change[];
  readonly removed: readonly Change[];
}

export interface Change {
  readonly what: "network" | "node" | "link";
  readonly name: string;
}

/** The declared part of everything in a store, to compare with a later one. */
export type Declaration = ReadonlyMap<string, { readonly change: Change; readonly text: string }>;

/** What is declared, without what the agent tells about it. */
export function declarationOf(rows: Rows): Declaration {
  const entries = [
    ...rows.networks.map(({ uuid, status, ...network }) => entry("network", network.name, network)),
    ...rows.links.map(({ uuid, ...link }) => entry("link", link.name, link)),
    ...rows.nodes.map(({ uuid, status, nics, ...node }) =>
      entry("node", node.name, { ...node, nics: nics.map(declaredNic) }),
    ),
  ];
  return new Map(entries);
}

/** What lies between two declarations. */
export function changesBetween(before: Declaration, after: Declaration): Changes {
  const added: Change[] = [];
  const changed: Change[] = [];
  for (const [key, { change, text }] of after) {
    const present = before.get(key);
    if (present === undefined) added.push(change);
    else if (present.text !== text) changed.push(change);
  }
  const removed = [...before].flatMap(([key, { change }]) => (after.has(key) ? [] : [change]));
  return { added, changed, removed };
}

/** `2 networks, 6 nodes added, 1 node removed`; undefined when nothing has changed. */
export function changesText({ added, changed, removed }: Changes): string | undefined {
  const parts = [
    [added, "added"],
    [changed, "changed"],
    [removed, "removed"],
  ] as const;
  const texts = parts.flatMap(([list, verb]) => (list.length === 0 ? [] : [`${countsOf(list)} ${verb}`]));
  return texts.length === 0 ? undefined : texts.join(", ");
}

function countsOf(list: readonly Change[]): string {
  const kinds = (["network", "link", "node"] as const).map(
    (what) => [what, list.filter((it) => it.what === what).length] as const,
  );
  return kinds.flatMap(([what, count]) => (count === 0 ? [] : [counted(count, what)])).join(", ");
}

function declaredNic({ uuid, status, ...nic }: NicEntry): object {
  return nic;
}

function entry(what: Change["what"], name: string, declared: object): [string, { change: Change; text: string }] {
  return [`${what} ${name}`, { change: { what, name }, text: JSON.stringify(declared) }];
}
