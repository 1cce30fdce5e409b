import {
  applyNodeChanges,
  Background,
  type Connection,
  ConnectionMode,
  Controls,
  MiniMap,
  type NodeChange,
  ReactFlow,
  ReactFlowProvider,
  useStore as useFlowStore,
  useReactFlow,
} from "@xyflow/react";
import { type KeyboardEvent, type RefObject, useEffect, useMemo, useRef, useState } from "react";
import { type Page, usePage } from "../state/page.ts";
import { openPanel } from "../state/panels.ts";
import { useStore } from "../state/store.ts";
import { type FlowNode, flowNodes } from "./flow.ts";
import { type Positions, settle } from "./layout.ts";
import { drawnLines } from "./lines.ts";
import { LinesLayer } from "./lines-layer.tsx";
import { type MenuSubject, openMenu, openMenuBelow } from "./menu-state.ts";
import { NetworkBox } from "./network-box.tsx";
import { NodeBox } from "./node-box.tsx";
import { sceneOf } from "./scene.ts";

const boxTypes = { node: NodeBox, network: NetworkBox };
const FIT = { padding: 0.12, maxZoom: 1.2 };

/** Zoomed out further than this, what is written in boxes cannot be read: they are drawn without it. */
const FAR = 0.4;

/** The picture of the yard. */
export function Canvas() {
  return (
    <ReactFlowProvider>
      <Drawing />
    </ReactFlowProvider>
  );
}

function Drawing() {
  const page = usePage();
  const isFar = useFlowStore(({ transform: [, , zoom] }) => zoom < FAR);
  const view = useStore(page.yard, (it) => it);
  const positions = useStore(page.positions, (it) => it);
  const mayChange = useStore(page.role, (role) => role === "operate");
  const scene = useMemo(() => sceneOf(view ?? { networks: [], nodes: [] }), [view]);
  const settled = useMemo(() => settle(scene, positions), [scene, positions]);
  const [nodes, setNodes] = useState<FlowNode[]>([]);
  const isMoved = useRef(false);

  useEffect(() => setNodes((old) => flowNodes(scene, settled, old)), [scene, settled]);
  const lines = useMemo(() => drawnLines(scene.lines, nodes), [scene, nodes]);
  // What is declared shows once it is so.
  const impaired = useMemo(
    () => new Set(view?.links.filter(({ impair }) => impair !== null && impair.by !== null).map(({ name }) => name)),
    [view],
  );
  // Where everything stands is kept, so that what comes later moves nothing.
  useEffect(() => page.positions.set(settled), [page, settled]);

  return (
    <ReactFlow<FlowNode>
      className={isFar ? "far" : ""}
      nodes={nodes}
      nodeTypes={boxTypes}
      connectionMode={ConnectionMode.Loose}
      isValidConnection={({ source, target }) => source !== target}
      onNodesChange={(changes: NodeChange<FlowNode>[]) => {
        // A box goes when it is gone from the yard, not when somebody presses a key.
        setNodes((old) =>
          applyNodeChanges(
            changes.filter(({ type }) => type !== "remove"),
            old,
          ),
        );
        page.positions.update((old) => moveBoxes(old, changes));
      }}
      onNodeDoubleClick={(_, box) => lookInside(page, box)}
      onNodeContextMenu={(event, box) => openMenu(event, subjectOf(box))}
      onKeyDown={(event) => onBoxKey(event, page, nodes)}
      onPaneContextMenu={(event) => openMenu(event, { kind: "canvas" })}
      onConnect={(connection) => connect(page.work, connection)}
      onMoveStart={(event) => {
        // What the canvas does of itself is no event of the mouse or the wheel.
        if (event !== null) isMoved.current = true;
      }}
      nodesConnectable={mayChange}
      zoomOnDoubleClick={false}
      deleteKeyCode={null}
      onlyRenderVisibleElements
      minZoom={0.05}
      fitView
      fitViewOptions={FIT}
      colorMode="system"
      proOptions={{ hideAttribution: true }}
      ariaLabelConfig={ARIA}
    >
      <Background />
      <LinesLayer lines={lines} impaired={impaired} />
      <StayFitted nodes={nodes} isMoved={isMoved} />
      <Controls showInteractive={false} fitViewOptions={FIT} />
      {nodes.length > 60 ? <MiniMap pannable zoomable ariaLabel="Map of the whole yard" /> : null}
    </ReactFlow>
  );
}

/** All of the picture stays in view as it grows or its place changes, until somebody moves or zooms it. */
function StayFitted({ nodes, isMoved }: { nodes: readonly FlowNode[]; isMoved: RefObject<boolean> }) {
  const { fitView, getViewport } = useReactFlow();
  const width = useFlowStore((flow) => flow.width);
  const height = useFlowStore((flow) => flow.height);
  const seen = useRef("");
  const count = nodes.length;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is looked at when something comes, not when it moves
  useEffect(() => {
    if (isMoved.current || count === 0 || width === 0 || height === 0) return;
    const place = `${width} ${height}`;
    // What comes where there is room needs no other view: to draw all anew is the dearest that there is.
    if (seen.current === place && isInView(nodes, getViewport(), { width, height })) return;
    seen.current = place;
    void fitView(FIT);
  }, [fitView, getViewport, isMoved, count, width, height]);
  return null;
}

function isInView(
  nodes: readonly FlowNode[],
  view: { readonly x: number; readonly y: number; readonly zoom: number },
  { width, height }: { readonly width: number; readonly height: number },
): boolean {
  return nodes.every(({ position, measured }) => {
    const [left, top] = [view.x + position.x * view.zoom, view.y + position.y * view.zoom];
    const [right, bottom] = [left + (measured?.width ?? 0) * view.zoom, top + (measured?.height ?? 0) * view.zoom];
    return left >= 0 && top >= 0 && right <= width && bottom <= height;
  });
}

const ARIA = {
  "node.a11yDescription.default":
    "Enter looks inside, M opens its menu, with the nics in it; Space selects, and the arrow keys move what is selected.",
};

function terminalOf(node: string) {
  return { kind: "terminal", node, console: false } as const;
}

function bridgeOf({ name, bridge }: { readonly name: string; readonly bridge: string }) {
  return { kind: "bridge", bridge, network: name } as const;
}

/** Where boxes stand that were let go, by the mouse or an arrow key. */
function moveBoxes(old: Positions, changes: readonly NodeChange<FlowNode>[]): Positions {
  const moved = changes.flatMap((change) => {
    if (change.type !== "position" || change.dragging !== false || change.position === undefined) return [];
    const { x, y } = change.position;
    return [[change.id, { x: Math.round(x), y: Math.round(y) }] as const];
  });
  return moved.length === 0 ? old : new Map([...old, ...moved]);
}

function subjectOf({ data }: FlowNode): MenuSubject {
  return "node" in data ? { kind: "node", node: data.node.name } : { kind: "network", network: data.network.name };
}

/** What a box opens: the terminal of a node, the bridge of a network. */
function lookInside(page: Page, { data }: FlowNode): void {
  if (!("node" in data)) page.panels.update((open) => openPanel(open, bridgeOf(data.network)));
  else if (page.role.get() === "operate") page.panels.update((open) => openPanel(open, terminalOf(data.node.name)));
}

/** Keys on a box that has the focus: Enter opens it, as a double click does, and the menu's keys its menu. */
function onBoxKey(event: KeyboardEvent, page: Page, boxes: readonly FlowNode[]): void {
  const { target } = event;
  if (!(target instanceof HTMLElement) || !target.classList.contains("react-flow__node")) return;
  const box = boxes.find(({ id }) => id === target.dataset.id);
  if (box === undefined) return;
  if (event.key === "Enter") lookInside(page, box);
  else if (event.key === "ContextMenu" || event.key === "m" || (event.shiftKey && event.key === "F10"))
    openMenuBelow(target, subjectOf(box));
  else return;
  event.preventDefault();
}

/** A line was drawn from a nic: to a network, or to another nic. */
function connect(
  work: { attach(node: string, nic: string, network: string): void; wire(from: string, to: string): void },
  { source, sourceHandle, target, targetHandle }: Connection,
): void {
  const [from, to] = source.startsWith("node:") ? [source, target] : [target, source];
  const [fromNic, toNic] = source.startsWith("node:") ? [sourceHandle, targetHandle] : [targetHandle, sourceHandle];
  if (!from.startsWith("node:") || fromNic === null) return;
  const node = from.slice("node:".length);
  if (to.startsWith("network:")) work.attach(node, fromNic, to.slice("network:".length));
  else if (toNic !== null) work.wire(`${node}:${fromNic}`, `${to.slice("node:".length)}:${toNic}`);
}
