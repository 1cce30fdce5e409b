import { YardError } from "@switchyard/base";
import type { NicView, NodeView, YardView } from "./view/types.ts";

/**
 * The node of that name.
 *
 * @throws YardError `node.unknown`, with the nearest name there is
 */
export function findNode(view: YardView, name: string): NodeView {
  const node = view.nodes.find((candidate) => candidate.name === name);
  if (node !== undefined) return node;
  throw unknownNode(
    `no node "${name}" in yard ${view.yard}`,
    name,
    view.nodes.map((candidate) => candidate.name),
  );
}

/** @throws YardError `nic.unknown` */
export function findNic(node: NodeView, name: string): NicView {
  const nic = node.nics.find((candidate) => candidate.name === name);
  if (nic !== undefined) return nic;
  const names = node.nics.map((candidate) => candidate.name);
  throw new YardError("nic.unknown", `node ${node.name} has no nic "${name}"`, {
    hint: names.length === 0 ? "it has no nics at all" : `it has ${names.join(", ")}`,
  });
}

/**
 * The node, which must be up.
 *
 * @throws YardError `node.unknown`, `node.not-running`
 */
export function findRunningNode(view: YardView, name: string): NodeView {
  const node = findNode(view, name);
  if (node.state === "running") return node;
  throw new YardError(
    "node.not-running",
    `node ${name} is ${node.state}${node.error === null ? "" : `: ${node.error.message}`}`,
    {
      hint: `\`yard inspect ${name}\` shows all that is known about it`,
    },
  );
}

function unknownNode(message: string, name: string, known: readonly string[]): YardError {
  const near = nearest(name, known);
  return new YardError("node.unknown", message, {
    hint: near === undefined ? "`yard ps` lists the nodes" : `did you mean ${near}?`,
  });
}

/** The known name that is at most two edits away, if one is nearest. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, edits: distance(name, candidate) }))
    .filter(({ edits, candidate }) => edits <= Math.min(2, Math.floor(candidate.length / 2)))
    .sort((a, b) => a.edits - b.edits);
  return ranked[0]?.candidate;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}
