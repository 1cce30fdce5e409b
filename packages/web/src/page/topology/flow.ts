/** The picture in the canvas's own terms. */
import { type Edge, type NodeHandle, Position } from "@xyflow/react";
import type { YardView } from "../api/contract.ts";
import { reuse } from "../state/reuse.ts";
import type { Positions } from "./layout.ts";
import type { NetworkBoxNode } from "./network-box.tsx";
import { type NodeBoxNode, nicLeft } from "./node-box.tsx";
import type { Box, Scene } from "./scene.ts";

export type FlowNode = NodeBoxNode | NetworkBoxNode;

const DOT = 14;

/**
 * Boxes that say and stand the same as before are the same things as before, which the canvas need not draw again; so is
 * the list of them when all are.
 */
export function flowNodes(scene: Scene, positions: Positions, old: FlowNode[]): FlowNode[] {
  const before = new Map(old.map((node) => [node.id, node]));
  const nodes = scene.boxes.map((box) => {
    const position = positions.get(box.id) ?? { x: 0, y: 0 };
    const was = before.get(box.id);
    const same = was && isOf(was, box) && was.position.x === position.x && was.position.y === position.y;
    return same ? was : { ...was, ...flowNode(box, position) };
  });
  return isSame(old, nodes) ? old : nodes;
}

function isSame<T>(old: readonly T[], fresh: readonly T[]): boolean {
  return old.length === fresh.length && fresh.every((item, at) => item === old[at]);
}

function isOf({ data }: FlowNode, box: Box): boolean {
  return "node" in data
    ? box.kind === "node" && data.node === box.node
    : box.kind === "network" && data.network === box.network;
}

function flowNode(box: Box, position: { readonly x: number; readonly y: number }): FlowNode {
  const { id, size } = box;
  // The canvas would else measure what is seen, and know nothing of what is not.
  const common = { id, position: { ...position }, ...size, measured: size };
  if (box.kind === "network") {
    const { network } = box;
    const target: NodeHandle = { id: "network", type: "target", position: Position.Bottom, x: 0, y: 0, ...size };
    const ariaLabel = `network ${network.name}, ${network.state}`;
    const end: NodeHandle = { ...target, id: "vlan", type: "source" };
    return { ...common, type: "network", data: { network }, handles: [target, end], ariaLabel };
  }
  const { node } = box;
  const handles = node.nics.map(
    ({ name }, at): NodeHandle => ({
      id: name,
      type: "source",
      position: Position.Top,
      x: nicLeft(at) - DOT / 2,
      y: -DOT / 2,
      width: DOT,
      height: DOT,
    }),
  );
  return { ...common, type: "node", data: { node }, handles, ariaLabel: `node ${node.name}, ${node.state}` };
}

/** Lines of the picture; as with boxes, what goes as before is the same thing as before. */
export function flowEdges({ lines }: Scene, view: YardView | undefined, old: Edge[]): Edge[] {
  // What is declared shows once it is so.
  const impaired = new Set(
    view?.links.filter(({ impair }) => impair !== null && impair.by !== null).map(({ name }) => name),
  );
  const before = new Map(old.map((edge) => [edge.id, edge]));
  const edges = lines.map(({ id, kind, from, to }) => {
    const edge: Edge = {
      id,
      type: "straight",
      source: from.box,
      sourceHandle: from.nic ?? "vlan",
      target: to.box,
      targetHandle: to.nic ?? "network",
      className: kind === "wire" && impaired.has(id.slice("wire:".length)) ? "wire impaired" : kind,
      focusable: false,
      selectable: false,
      reconnectable: false,
    };
    return reuse(before.get(id), edge);
  });
  return isSame(old, edges) ? old : edges;
}
