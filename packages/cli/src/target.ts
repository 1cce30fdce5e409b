import { YardError } from "@switchyard/base";
import { nearest } from "@switchyard/yard/nearest";
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
