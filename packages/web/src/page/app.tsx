import { lazy, Suspense, useEffect, useState } from "react";
import {
  AddLabDialog,
  AddNetworkDialog,
  AddNicDialog,
  AddNodeDialog,
  AttachDialog,
  WireDialog,
} from "./edit/add-dialogs.tsx";
import { PlanDialog } from "./edit/plan-dialog.tsx";
import { Dock } from "./shell/dock.tsx";
import { Header, type Side } from "./shell/header.tsx";
import { Menu } from "./shell/menu.tsx";
import { Outline } from "./shell/outline.tsx";
import { type Page, PageProvider, usePage } from "./state/page.ts";
import { useStore } from "./state/store.ts";
import { Canvas } from "./topology/canvas.tsx";

const FilePanel = lazy(() => import("./file/file-panel.tsx"));
const ImpairDialog = lazy(() =>
  import("./edit/impair-dialog.tsx").then(({ ImpairDialog }) => ({ default: ImpairDialog })),
);
const TraceDialog = lazy(() =>
  import("./bridge/trace-dialog.tsx").then(({ TraceDialog }) => ({ default: TraceDialog })),
);

/** The page. */
export function App({ page }: { page: Page }) {
  const [side, setSide] = useState<Side>("none");
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => onUndoKey(event, page);
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [page]);
  return (
    <PageProvider value={page}>
      <div className="app">
        <Header side={side} onSide={setSide} />
        <main className="picture" aria-label="Picture of the yard">
          <Picture />
        </main>
        <SidePanel side={side} />
        <Dock />
      </div>
      <Menu />
      <OpenDialog />
      <PlanDialog />
      <Notice />
    </PageProvider>
  );
}

/** Ctrl+Z, and Ctrl+Shift+Z or Ctrl+Y, but for what is written: that has an undo of its own. */
function onUndoKey(event: KeyboardEvent, { work, role }: Page): void {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || !["z", "y"].includes(key) || role.get() !== "operate") return;
  const { target } = event;
  if (target instanceof HTMLElement && (target.isContentEditable || target.closest("input, textarea, dialog, .xterm")))
    return;
  event.preventDefault();
  void work.history.move(key === "y" || event.shiftKey ? "redo" : "undo");
}

function Picture() {
  const { yard } = usePage();
  const isThere = useStore(yard, (view) => view !== undefined);
  const isEmpty = useStore(yard, (view) => view !== undefined && view.nodes.length + view.networks.length === 0);
  if (!isThere) return <p className="empty">Looking at the yard…</p>;
  return (
    <>
      {isEmpty ? <p className="empty">Nothing is here yet. Add a lab, or a node, above.</p> : null}
      <Canvas />
    </>
  );
}

function SidePanel({ side }: { side: Side }) {
  if (side === "none") return null;
  if (side === "outline") return <Outline />;
  return (
    <Suspense fallback={<aside className="side">loading</aside>}>
      <FilePanel />
    </Suspense>
  );
}

function OpenDialog() {
  const { dialog } = usePage();
  const open = useStore(dialog, (it) => it);
  switch (open?.kind) {
    case undefined:
      return null;
    case "add-node":
      return <AddNodeDialog />;
    case "add-network":
      return <AddNetworkDialog />;
    case "add-lab":
      return <AddLabDialog />;
    case "add-nic":
      return <AddNicDialog node={open.node} />;
    case "attach":
      return <AttachDialog node={open.node} nic={open.nic} />;
    case "wire":
      return <WireDialog own={open.own} />;
    case "impair":
      return (
        <Suspense fallback={null}>
          <ImpairDialog target={open.target} />
        </Suspense>
      );
    case "trace":
      return (
        <Suspense fallback={null}>
          <TraceDialog node={open.node} nic={open.nic} />
        </Suspense>
      );
  }
}

/** Milliseconds that a sentence stays. */
const NOTICE = 6000;

function Notice() {
  const { notice } = usePage();
  const text = useStore(notice, (it) => it);
  useEffect(() => {
    if (text === "") return undefined;
    const timer = setTimeout(() => notice.set(""), NOTICE);
    return () => clearTimeout(timer);
  }, [text, notice]);
  return (
    <p className={text === "" ? "visually-hidden" : "notice"} role="status">
      {text}
    </p>
  );
}
