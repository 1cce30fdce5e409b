/** Where the boxes of a picture stand. */
import { layout as dagre, Graph } from "@dagrejs/dagre";
import { type Box, type Line, NETWORK_SIZE, type Scene, type Size } from "./scene.ts";

/** Of a box's upper left corner, in pixels. */
export interface Point {
  readonly x: number;
  readonly y: number;
}
export type Positions = ReadonlyMap<string, Point>;

const GAP = 28;
/** Between a network and the nodes that are on it alone. */
const DROP = 46;
/** Of a block of nodes below their network, width to height. */
const ASPECT = 1.3;

/** A box of the skeleton with those that hang on it alone, which are laid out as one. */
interface Block extends Size {
  readonly head: Box;
  readonly leaves: readonly Box[];
  readonly columns: number;
  /** Of one leaf, with what keeps it apart from the next. */
  readonly cell: Size;
}

/**
 * Lays a picture out. What hangs together stands together; such parts stand in rows, in the shape of a screen. Within a
 * part, a node that is on one network alone stands in a block below it; networks and the nodes that join several are laid
 * out as a graph of such blocks.
 */
export function layout({ boxes, lines }: Scene): Map<string, Point> {
  const neighbours = neighboursOf(lines);
  const parts = partsOf(boxes, neighbours).map((part) => {
    const ids = new Set(part.map(({ id }) => id));
    const within = lines.filter(({ from, to }) => ids.has(from.box) && ids.has(to.box));
    return partLayout(part, within, neighbours);
  });
  return inRows(parts);
}

/** Boxes that hang together, in order of their first. */
function partsOf(boxes: readonly Box[], neighbours: ReadonlyMap<string, ReadonlySet<string>>): Box[][] {
  const partOf = new Map<string, number>();
  for (const [part, { id }] of boxes.entries()) {
    const open = partOf.has(id) ? [] : [id];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      partOf.set(at, part);
      for (const other of neighbours.get(at) ?? []) if (!partOf.has(other)) open.push(other);
    }
  }
  return [...Map.groupBy(boxes, ({ id }) => partOf.get(id)).values()];
}

/** A part of the picture, in a place of its own. */
interface Part extends Size {
  /** From its upper left corner. */
  readonly positions: ReadonlyMap<string, Point>;
}

/** Parts side by side, in as many rows as let all of it be seen the largest; the highest come first. */
function inRows(parts: readonly Part[]): Map<string, Point> {
  const sorted = parts.toSorted((a, b) => b.height - a.height);
  let width = 0;
  const widths = sorted.map((part) => (width += part.width + SPACE));
  const step = Math.ceil(widths.length / TRIES);
  const tries = [...widths.filter((_, n) => n % step === 0), width].map((most) => rowsWithin(sorted, most));
  const [best] = tries.toSorted((a, b) => screenOf(a) - screenOf(b));
  return new Map(best?.positions);
}

/** Between parts. */
const SPACE = 2 * GAP;
/** Of how wide rows may be. */
const TRIES = 40;

function rowsWithin(parts: readonly Part[], most: number): Part {
  const positions = new Map<string, Point>();
  const whole = { width: 0, height: 0 };
  const corner = { x: 0, y: 0 };
  for (const { width, height, positions: own } of parts) {
    if (corner.x > 0 && corner.x + width > most) {
      corner.x = 0;
      corner.y = whole.height + SPACE;
    }
    for (const [id, { x, y }] of own) positions.set(id, { x: corner.x + x, y: corner.y + y });
    whole.width = Math.max(whole.width, corner.x + width);
    whole.height = Math.max(whole.height, corner.y + height);
    corner.x += width + SPACE;
  }
  return { ...whole, positions };
}

function partLayout(
  boxes: readonly Box[],
  lines: readonly Line[],
  neighbours: ReadonlyMap<string, ReadonlySet<string>>,
): Part {
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const leafOf = new Map(
    boxes.flatMap((box) => {
      const [network, ...others] = neighbours.get(box.id) ?? [];
      const isLeaf = box.kind === "node" && others.length === 0 && byId.get(network ?? "")?.kind === "network";
      return isLeaf && network !== undefined ? [[box.id, network] as const] : [];
    }),
  );
  const leaves = Map.groupBy(
    boxes.filter(({ id }) => leafOf.has(id)),
    ({ id }) => leafOf.get(id),
  );
  const blocks = boxes.filter(({ id }) => !leafOf.has(id)).map((head) => blockOf(head, leaves.get(head.id) ?? []));
  const tries = (["TB", "LR"] as const).map((direction) =>
    partOf(positionsOf(placeBlocks(blocks, lines, direction), blocks), byId),
  );
  const [best] = tries.toSorted((a, b) => screenOf(a) - screenOf(b));
  return best ?? { width: 0, height: 0, positions: new Map() };
}

/** Width to height of what a picture is looked at in. */
const SCREEN = 1.8;

/** How high a screen must be to show it all: the less, the larger it is seen. */
function screenOf({ width, height }: Size): number {
  return Math.max(width / SCREEN, height);
}

function partOf(placed: Positions, boxes: ReadonlyMap<string, Box>): Part {
  const rects = [...placed].map(([id, point]) => ({ ...point, ...(boxes.get(id)?.size ?? NETWORK_SIZE) }));
  const [left, top] = [Math.min(...rects.map(({ x }) => x)), Math.min(...rects.map(({ y }) => y))];
  return {
    width: Math.max(...rects.map(({ x, width }) => x + width)) - left,
    height: Math.max(...rects.map(({ y, height }) => y + height)) - top,
    positions: new Map([...placed].map(([id, { x, y }]) => [id, { x: x - left, y: y - top }])),
  };
}

/**
 * Where boxes stand that have a place, and where the others go: beside their neighbours as in a fresh layout, or where
 * there is room near by. Nothing moves because something came.
 */
export function settle(scene: Scene, placed: Positions): Positions {
  const known = scene.boxes.filter(({ id }) => placed.has(id));
  if (known.length === scene.boxes.length) return placed;
  const fresh = layout(scene);
  if (known.length === 0) return fresh;
  const neighbours = neighboursOf(scene.lines);
  const settled = new Map(known.map(({ id }) => [id, placed.get(id) ?? ORIGIN]));
  const taken: Rect[] = known.map(({ id, size }) => ({ ...(placed.get(id) ?? ORIGIN), ...size }));
  for (const { id, size } of scene.boxes) {
    if (settled.has(id)) continue;
    const wanted = fresh.get(id) ?? ORIGIN;
    const anchor = [...(neighbours.get(id) ?? [])].find((other) => settled.has(other));
    const [there, was] = [settled.get(anchor ?? ""), fresh.get(anchor ?? "")];
    const beside = there && was ? { x: wanted.x + there.x - was.x, y: wanted.y + there.y - was.y } : wanted;
    const at = freePlace(beside, size, taken);
    settled.set(id, at);
    taken.push({ ...at, ...size });
  }
  return settled;
}

type Rect = Point & Size;
const ORIGIN: Point = { x: 0, y: 0 };
/** Pixels from one try to the next, and how many rings of them are tried. */
const STEP = 40;
const RINGS = 60;

/** The nearest place to a point, on rings around it, where a box stands on no other. */
function freePlace(wanted: Point, size: Size, taken: readonly Rect[]): Point {
  for (let ring = 0; ring < RINGS; ring++)
    for (let [x, y] of ringAround(ring)) {
      [x, y] = [wanted.x + x * STEP, wanted.y + y * STEP];
      const isFree = taken.every(
        (box) =>
          x >= box.x + box.width + GAP / 2 ||
          box.x >= x + size.width + GAP / 2 ||
          y >= box.y + box.height + GAP / 2 ||
          box.y >= y + size.height + GAP / 2,
      );
      if (isFree) return { x, y };
    }
  return wanted;
}

/** The points of a square's edge; below and beside come before above. */
function ringAround(ring: number): [number, number][] {
  const line = Array.from({ length: 2 * ring + 1 }, (_, n) => n - ring);
  if (ring === 0) return [[0, 0]];
  const edges = line.flatMap((n): [number, number][] => [
    [n, ring],
    [ring, n],
    [-ring, n],
    [n, -ring],
  ]);
  return edges.toSorted(([ax, ay], [bx, by]) => Math.abs(ax) + Math.abs(ay) - Math.abs(bx) - Math.abs(by));
}

function neighboursOf(lines: readonly Line[]): Map<string, Set<string>> {
  const neighbours = new Map<string, Set<string>>();
  const add = (one: string, other: string) => {
    const known = neighbours.get(one);
    if (known) known.add(other);
    else neighbours.set(one, new Set([other]));
  };
  for (const { from, to } of lines) {
    add(from.box, to.box);
    add(to.box, from.box);
  }
  return neighbours;
}

function blockOf(head: Box, leaves: readonly Box[]): Block {
  if (leaves.length === 0) return { head, leaves, columns: 0, cell: { width: 0, height: 0 }, ...head.size };
  const cell = {
    width: Math.max(...leaves.map(({ size }) => size.width)) + GAP,
    height: Math.max(...leaves.map(({ size }) => size.height)) + GAP,
  };
  const columns = Math.max(1, Math.ceil(Math.sqrt((leaves.length * ASPECT * cell.height) / cell.width)));
  const rows = Math.ceil(leaves.length / columns);
  return {
    head,
    leaves,
    columns,
    cell,
    width: Math.max(head.size.width, Math.min(columns, leaves.length) * cell.width - GAP),
    height: head.size.height + DROP + rows * cell.height - GAP,
  };
}

/** The upper left corner of each block, by its head. */
function placeBlocks(blocks: readonly Block[], lines: readonly Line[], rankdir: "TB" | "LR"): Map<string, Point> {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir, nodesep: 2 * GAP, ranksep: 3 * GAP });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { head, width, height } of blocks) graph.setNode(head.id, { width, height });
  // Networks stand above nodes, whose dots are below: a line reads from the network down.
  for (const { id, from, to } of lines)
    if (graph.hasNode(from.box) && graph.hasNode(to.box)) graph.setEdge(to.box, from.box, {}, id);
  dagre(graph);
  return new Map(
    blocks.map(({ head, width, height }) => {
      const { x = 0, y = 0 } = graph.node(head.id);
      return [head.id, { x: Math.round(x - width / 2), y: Math.round(y - height / 2) }];
    }),
  );
}

function positionsOf(corners: ReadonlyMap<string, Point>, blocks: readonly Block[]): Map<string, Point> {
  const positions = new Map<string, Point>();
  for (const { head, leaves, columns, cell, width } of blocks) {
    const { x, y } = corners.get(head.id) ?? { x: 0, y: 0 };
    positions.set(head.id, { x: x + Math.round((width - head.size.width) / 2), y });
    const top = y + head.size.height + DROP;
    for (const [n, leaf] of leaves.entries())
      positions.set(leaf.id, {
        x: x + (n % columns) * cell.width,
        y: top + Math.floor(n / columns) * cell.height,
      });
  }
  return positions;
}
