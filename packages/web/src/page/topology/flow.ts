/** The picture in the canvas's own terms. */
import { type NodeHandle, Position } from "@xyflow/react";
import type { Positions } from "./layout.ts";
import { nicLeft, nicsBelow } from "./lines.ts";
import type { NetworkBoxNode } from "./network-box.tsx";
import type { NodeBoxNode } from "./node-box.tsx";
import type { Box, Scene } from "./scene.ts";

export type FlowNode = NodeBoxNode | NetworkBoxNode;

const DOT = 14;

/**
 * Boxes that say and stand the same as before are the same things as before, which the canvas need not draw again; so is
 * the list of them when all are.
 */
export function flowNodes(scene: Scene, positions: Positions, old: FlowNode[]): FlowNode[] {
  const before = new Map(old.map((node) => [node.id, node]));
  const lower = nicsBelow(scene, positions);
  const nodes = scene.boxes.map((box) => {
    const position = positions.get(box.id) ?? { x: 0, y: 0 };
    const below = [...(lower.get(box.id) ?? [])];
    const was = before.get(box.id);
    const same = was && isOf(was, box, below) && was.position.x === position.x && was.position.y === position.y;
    return same ? was : { ...was, ...flowNode(box, position, below) };
  });
  return isSame(old, nodes) ? old : nodes;
}

function isSame<T>(old: readonly T[], fresh: readonly T[]): boolean {
  return old.length === fresh.length && fresh.every((item, at) => item === old[at]);
}

function isOf({ data }: FlowNode, box: Box, below: readonly string[]): boolean {
  return "node" in data
    ? box.kind === "node" && data.node === box.node && isSame(data.below, below)
    : box.kind === "network" && data.network === box.network;
}

function flowNode(box: Box, position: { readonly x: number; readonly y: number }, below: readonly string[]): FlowNode {
  const { id, size } = box;
  // The canvas would else measure what is seen, and know nothing of what is not.
  const common = { id, position: { ...position }, ...size, measured: size };
  if (box.kind === "network") {
    const { network } = box;
    const target: NodeHandle = { id: "network", type: "target", position: Position.Bottom, x: 0, y: 0, ...size };
    const ariaLabel = `network ${network.name}, ${network.state}`;
    return { ...common, type: "network", data: { network }, handles: [target], ariaLabel };
  }
  const { node } = box;
  const handles = node.nics.map(
    ({ name }, at): NodeHandle => ({
      id: name,
      type: "source",
      position: below.includes(name) ? Position.Bottom : Position.Top,
      x: nicLeft(at) - DOT / 2,
      y: (below.includes(name) ? size.height : 0) - DOT / 2,
      width: DOT,
      height: DOT,
    }),
  );
  return { ...common, type: "node", data: { node, below }, handles, ariaLabel: `node ${node.name}, ${node.state}` };
}
