import { lazy, Suspense } from "react";
import { usePage } from "../state/page.ts";
import { closePanel, type Panel, panelId, panelTitle } from "../state/panels.ts";
import { useStore } from "../state/store.ts";

// What is not seen at first is not loaded at first.
const TerminalPanel = lazy(() => import("../terminal/terminal-panel.tsx"));
const CapturePanel = lazy(() => import("../capture/capture-panel.tsx"));
const RatesPanel = lazy(() => import("../plot/rates-panel.tsx"));
const BridgePanel = lazy(() => import("../bridge/bridge-panel.tsx"));

/** Terminals, captures and plots, as tabs below the picture. Those that are not seen go on. */
export function Dock() {
  const { panels } = usePage();
  const { open, shown } = useStore(panels, (it) => it);
  if (open.length === 0) return null;
  return (
    <section className="dock" aria-label="Panels">
      <div role="tablist" aria-label="Panels that are open">
        {open.map((panel) => (
          <Tab key={panelId(panel)} panel={panel} isShown={panelId(panel) === shown} />
        ))}
      </div>
      {open.map((panel) => (
        <div
          key={panelId(panel)}
          role="tabpanel"
          id={`panel-${panelId(panel)}`}
          aria-label={panelTitle(panel)}
          hidden={panelId(panel) !== shown}
        >
          <Suspense fallback={<p className="status">loading</p>}>
            <PanelBody panel={panel} />
          </Suspense>
        </div>
      ))}
    </section>
  );
}

function PanelBody({ panel }: { panel: Panel }) {
  switch (panel.kind) {
    case "terminal":
      return <TerminalPanel node={panel.node} isConsole={panel.console} />;
    case "capture":
      return <CapturePanel node={panel.node} nic={panel.nic} />;
    case "rates":
      return <RatesPanel node={panel.node} nic={panel.nic} />;
    case "bridge":
      return <BridgePanel bridge={panel.bridge} />;
  }
}

function Tab({ panel, isShown }: { panel: Panel; isShown: boolean }) {
  const { panels } = usePage();
  const id = panelId(panel);
  return (
    <span className={`tab ${isShown ? "shown" : ""}`} role="presentation">
      <button
        type="button"
        role="tab"
        aria-selected={isShown}
        onClick={() => panels.update((it) => ({ ...it, shown: id }))}
        onKeyDown={(event) => {
          if (event.key === "Delete") panels.update((it) => closePanel(it, id));
        }}
      >
        {panelTitle(panel)}
      </button>
      {/* The tab itself is closed by Delete: a list of tabs holds tabs alone. */}
      <span
        className="close"
        aria-hidden="true"
        title="close"
        onClick={() => panels.update((it) => closePanel(it, id))}
      >
        ×
      </span>
    </span>
  );
}
