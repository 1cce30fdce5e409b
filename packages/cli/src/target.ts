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
 * The nic that `NODE:NIC` names, by its name or its number.
 *
 * @throws YardError `usage.wrong`, `node.unknown`, `nic.unknown`
 */
export function findNicAt(view: YardView, path: string): { readonly node: NodeView; readonly nic: NicView } {
  const named = parseNicPath(path);
  const node = findNode(view, named.node);
  const numbered = node.nics.find(({ index }) => String(index) === named.nic);
  const nic = node.nics.find(({ name }) => name === named.nic) ?? numbered ?? findNic(node, named.nic);
  return { node, nic };
}

/** `NODE:NIC`. @throws YardError `usage.wrong` */
export function parseNicPath(text: string): { readonly node: string; readonly nic: string } {
  const [node, nic, ...rest] = text.split(":");
  if (!node || !nic || rest.length > 0)
    throw new YardError("usage.wrong", `"${text}" does not name a nic`, { hint: "write NODE:NIC, such as web:eth1" });
  return { node, nic };
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
