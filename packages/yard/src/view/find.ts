import { YardError } from "@switchyard/base";
import { nearest } from "../model/nearest.ts";
import type { LabView, LinkView, NetworkView, NicView, NodeView, YardView } from "./types.ts";

/**
 * The node of that name.
 *
 * @throws YardError `node.unknown`, with the nearest name there is
 */
export function findNode(view: YardView, name: string): NodeView {
  const node = view.nodes.find((candidate) => candidate.name === name);
  if (node !== undefined) return node;
  const near = nearest(
    name,
    view.nodes.map((candidate) => candidate.name),
  );
  throw new YardError("node.unknown", `no node "${name}" in yard ${view.yard}`, {
    hint: near === undefined ? `\`yard -y ${view.yard} ps\` lists the nodes` : `did you mean ${near}?`,
  });
}

/** The lab of that name. @throws YardError `lab.not-up` */
export function findLab(view: YardView, name: string): LabView {
  const lab = view.labs.find((candidate) => candidate.name === name);
  if (lab !== undefined) return lab;
  throw new YardError("lab.not-up", `lab ${name} is not in yard ${view.yard}`, {
    hint: "`yard ps --labs` lists those that are",
  });
}

/** The network of that name. @throws YardError `network.unknown` */
export function findNetwork(view: YardView, name: string): NetworkView {
  const network = view.networks.find((candidate) => candidate.name === name);
  if (network !== undefined) return network;
  const near = nearest(
    name,
    view.networks.map((candidate) => candidate.name),
  );
  throw new YardError("network.unknown", `no network "${name}" in yard ${view.yard}`, {
    hint: near === undefined ? "`yard ps --networks` lists the networks" : `did you mean ${near}?`,
  });
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
 * The nic of a node, by its name or its number.
 *
 * @throws YardError `node.unknown`, `nic.unknown`
 */
export function findNicAt(
  view: YardView,
  at: { readonly node: string; readonly nic: string },
): { readonly node: NodeView; readonly nic: NicView } {
  const node = findNode(view, at.node);
  const numbered = node.nics.find(({ index }) => String(index) === at.nic);
  const nic = node.nics.find(({ name }) => name === at.nic) ?? numbered ?? findNic(node, at.nic);
  return { node, nic };
}

/** The link of that name, whose ends may be named in either order. @throws YardError `link.unknown` */
export function findLink(view: YardView, text: string): LinkView {
  const link = view.links.find(({ name }) => name === text || name === text.split("--").toReversed().join("--"));
  if (link !== undefined) return link;
  const near = nearest(
    text,
    view.links.map(({ name }) => name),
  );
  throw new YardError("link.unknown", `yard ${view.yard} has no link ${text}`, {
    hint: near === undefined ? "`yard inspect NODE` shows a node's links" : `did you mean ${near}?`,
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
  if (node.stopped)
    throw new YardError("node.not-running", `node ${name} is stopped`, { hint: `start it: yard start ${name}` });
  throw new YardError(
    "node.not-running",
    `node ${name} is ${node.state}${node.error === null ? "" : `: ${node.error.message}`}`,
    {
      hint: `\`yard -y ${view.yard} inspect ${name}\` shows all that is known about it`,
    },
  );
}
