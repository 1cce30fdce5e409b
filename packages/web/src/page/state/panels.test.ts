import { expect, test } from "bun:test";
import { closePanel, NO_PANELS, openPanel, panelId } from "./panels.ts";

const terminal = { kind: "terminal", node: "web", console: false } as const;
const capture = { kind: "capture", node: "web", nic: "eth0" } as const;

test("a panel that is open already is shown, not opened twice", () => {
  const panels = openPanel(openPanel(openPanel(NO_PANELS, terminal), capture), terminal);
  expect(panels).toEqual({ open: [terminal, capture], shown: panelId(terminal) });
});

test("when the panel that is seen is closed, the one beside it is seen", () => {
  const both = openPanel(openPanel(NO_PANELS, terminal), capture);
  expect(closePanel(both, panelId(capture))).toEqual({ open: [terminal], shown: panelId(terminal) });
  expect(closePanel(both, panelId(terminal)).shown).toBe(panelId(capture));
  expect(closePanel(openPanel(NO_PANELS, terminal), panelId(terminal))).toEqual(NO_PANELS);
});
