/** The panels that are open below the picture, as tabs. */
export type Panel =
  | { readonly kind: "terminal"; readonly node: string; readonly console: boolean }
  | { readonly kind: "capture"; readonly node: string; readonly nic: string }
  | { readonly kind: "rates"; readonly node: string; readonly nic: string }
  | { readonly kind: "bridge"; readonly bridge: string; readonly network: string };

export interface Panels {
  readonly open: readonly Panel[];
  /** The id of the one that is seen; undefined: none is open. */
  readonly shown: string | undefined;
}

export const NO_PANELS: Panels = { open: [], shown: undefined };

export function panelId(panel: Panel): string {
  switch (panel.kind) {
    case "terminal":
      return `${panel.console ? "console" : "terminal"}:${panel.node}`;
    case "capture":
    case "rates":
      return `${panel.kind}:${panel.node}:${panel.nic}`;
    case "bridge":
      return `bridge:${panel.bridge}`;
  }
}

export function panelTitle(panel: Panel): string {
  switch (panel.kind) {
    case "terminal":
      return `${panel.node}${panel.console ? " console" : ""}`;
    case "capture":
      return `${panel.node}:${panel.nic} packets`;
    case "rates":
      return `${panel.node}:${panel.nic} rates`;
    case "bridge":
      return `${panel.network} bridge`;
  }
}

/** Shows a panel, which is opened if it is not. */
export function openPanel(panels: Panels, panel: Panel): Panels {
  const id = panelId(panel);
  const isOpen = panels.open.some((other) => panelId(other) === id);
  return { open: isOpen ? panels.open : [...panels.open, panel], shown: id };
}

/** Closes a panel; the one beside it is seen then. */
export function closePanel(panels: Panels, id: string): Panels {
  const at = panels.open.findIndex((panel) => panelId(panel) === id);
  const open = panels.open.filter((panel) => panelId(panel) !== id);
  if (panels.shown !== id) return { ...panels, open };
  const next = open[Math.min(at, open.length - 1)];
  return { open, shown: next && panelId(next) };
}
