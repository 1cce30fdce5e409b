/** Where the lines of the picture go, and at which edges of boxes they end. */
import type { FlowNode } from "./flow.ts";
import type { Point, Positions } from "./layout.ts";
import { type Line, NIC_PITCH, type Scene, type Size } from "./scene.ts";

/** A line as it is drawn. */
export interface DrawnLine {
  readonly id: string;
  readonly kind: Line["kind"];
  /** The box that it leads to. */
  readonly to: string;
  /** Of an SVG path. */
  readonly path: string;
}

/** Of a dot's middle, in pixels from the box's left edge. */
export function nicLeft(index: number): number {
  return NIC_PITCH * (index + 0.75);
}

/** The nics of each box whose line leads down: their dots are at its lower edge. */
export function nicsBelow({ boxes, lines }: Scene, positions: Positions): ReadonlyMap<string, ReadonlySet<string>> {
  const places = new Map(boxes.map(({ id, size }) => [id, { ...(positions.get(id) ?? { x: 0, y: 0 }), ...size }]));
  const below = new Map<string, Set<string>>();
  for (const { from, to } of lines)
    for (const [end, other] of [
      [from, to],
      [to, from],
    ] as const) {
      const [own, far] = [places.get(end.box), places.get(other.box)];
      if (end.nic === undefined || own === undefined || far === undefined || !isUnder(far, own)) continue;
      const nics = below.get(end.box);
      if (nics) nics.add(end.nic);
      else below.set(end.box, new Set([end.nic]));
    }
  return below;
}

/** All lines between boxes, wherever those are at this moment. */
export function drawnLines(lines: readonly Line[], boxes: readonly FlowNode[]): DrawnLine[] {
  const byId = new Map(boxes.map((box) => [box.id, box]));
  return lines.flatMap(({ id, kind, from, to }) => {
    const [one, other] = [byId.get(from.box), byId.get(to.box)];
    if (one === undefined || other === undefined) return [];
    const [start, end] = [endAt(one, from.nic, other), endAt(other, to.nic, one)];
    return [{ id, kind, to: to.box, path: `M${start.x} ${start.y}L${end.x} ${end.y}` }];
  });
}

/** At a nic's dot, or in the middle of the edge that looks to the other box. */
function endAt(box: FlowNode, nic: string | undefined, other: FlowNode): Point {
  const { x, y, width, height } = placeOf(box);
  if ("node" in box.data) {
    const index = box.data.node.nics.findIndex(({ name }) => name === nic);
    return { x: x + nicLeft(index), y: box.data.below.includes(nic ?? "") ? y + height : y };
  }
  return { x: x + width / 2, y: isUnder(placeOf(box), placeOf(other)) ? y : y + height };
}

function placeOf({ position, measured }: FlowNode): Point & Size {
  return { ...position, width: measured?.width ?? 0, height: measured?.height ?? 0 };
}

function isUnder(box: Point & Size, other: Point & Size): boolean {
  return box.y >= other.y + other.height;
}
