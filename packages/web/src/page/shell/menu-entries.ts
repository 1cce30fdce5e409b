/** What can be done with what. */
import type { NodeView } from "../api/contract.ts";
import { type Page, usePage } from "../state/page.ts";
import { openPanel, type Panel } from "../state/panels.ts";
import { useStore } from "../state/store.ts";
import { type MenuSubject, reopenMenu } from "../topology/menu-state.ts";

export interface MenuEntry {
  readonly text: string;
  readonly isOff?: boolean;
  /** Whether it only looks, which everybody may. */
  readonly onlyLooks?: boolean;
  act(): void;
}

/** The entries of the menu of a thing, in order. */
export function useMenuEntries(subject: MenuSubject): MenuEntry[] {
  const page = usePage();
  useStore(page.yard, (view) => view);
  const mayChange = useStore(page.role, (role) => role === "operate");
  return entriesOf(page, subject).filter(({ onlyLooks }) => mayChange || onlyLooks === true);
}

export function entriesOf(page: Page, subject: MenuSubject): MenuEntry[] {
  const view = page.yard.get();
  switch (subject.kind) {
    case "node": {
      const node = view?.nodes.find(({ name }) => name === subject.node);
      return node === undefined ? [] : nodeEntries(page, node);
    }
    case "nic": {
      const node = view?.nodes.find(({ name }) => name === subject.node);
      const nic = node?.nics.find(({ name }) => name === subject.nic);
      return node === undefined || nic === undefined ? [] : nicEntries(page, node, nic);
    }
    case "network": {
      const network = view?.networks.find(({ name }) => name === subject.network);
      return network === undefined ? [] : networkEntries(page, network);
    }
    case "link":
      return linkEntries(page, subject.link);
    case "canvas":
      return [
        { text: "Add a node…", act: () => page.dialog.set({ kind: "add-node" }) },
        { text: "Add a network…", act: () => page.dialog.set({ kind: "add-network" }) },
        { text: "Join two nics by a wire…", act: () => page.dialog.set({ kind: "wire", own: undefined }) },
        { text: "Lay everything out anew", onlyLooks: true, act: () => page.positions.set(new Map()) },
      ];
  }
}

/** Kinds that something runs in. */
const RUNNING_KINDS: ReadonlySet<string> = new Set(["netns", "container", "vm"]);

function nodeEntries(page: Page, node: NodeView): MenuEntry[] {
  const { work } = page;
  const { name, kind } = node;
  const runs = RUNNING_KINDS.has(kind);
  const isOff = node.state !== "running";
  const press = (text: string, action: "pause" | "resume" | "reset"): MenuEntry => ({
    text: `${text}…`,
    isOff,
    act: () => work.press(name, text, action),
  });
  return [
    ...(runs
      ? [{ text: "Terminal", isOff, act: () => show(page, { kind: "terminal", node: name, console: false }) }]
      : []),
    ...(kind === "vm"
      ? [
          { text: "Serial console", isOff, act: () => show(page, { kind: "terminal", node: name, console: true }) },
          node.paused ? press("Resume", "resume") : press("Pause", "pause"),
          press("Reset", "reset"),
        ]
      : []),
    ...(runs
      ? [
          node.stopped || node.state === "exited"
            ? { text: "Start…", act: () => work.power(name, "start") }
            : { text: "Stop…", act: () => work.power(name, "stop") },
        ]
      : []),
    ...(kind === "a2b"
      ? [{ text: "Impair…", act: () => page.dialog.set({ kind: "impair", target: { kind: "node", node: name } }) }]
      : []),
    // So the keyboard comes to them, too.
    ...node.nics.map((nic) => ({
      text: `Nic ${nic.name} ▸`,
      onlyLooks: true,
      act: () => reopenMenu({ kind: "nic", node: name, nic: nic.name }),
    })),
    { text: "Add a nic…", act: () => page.dialog.set({ kind: "add-nic", node: name }) },
    { text: "Remove…", act: () => work.removeNode(name) },
  ];
}

function nicEntries(page: Page, node: NodeView, nic: NodeView["nics"][number]): MenuEntry[] {
  const { work } = page;
  return [
    { text: "Capture packets", act: () => show(page, { kind: "capture", node: node.name, nic: nic.name }) },
    {
      text: "Rates over time",
      onlyLooks: true,
      act: () => show(page, { kind: "rates", node: node.name, nic: nic.name }),
    },
    {
      text: nic.spy === null ? "Spy on it…" : "Spy on it no longer…",
      act: () => work.spy(node.name, nic.name, nic.spy === null),
    },
    {
      text: "Impair…",
      act: () =>
        page.dialog.set({
          kind: "impair",
          target:
            nic.link === null ? { kind: "nic", node: node.name, nic: nic.name } : { kind: "link", link: nic.link },
        }),
    },
    { text: "Plug into a network…", act: () => page.dialog.set({ kind: "attach", node: node.name, nic: nic.name }) },
    {
      text: "Join to another nic by a wire…",
      act: () => page.dialog.set({ kind: "wire", own: `${node.name}:${nic.name}` }),
    },
    {
      text: "Trace a packet from it…",
      onlyLooks: true,
      act: () => page.dialog.set({ kind: "trace", node: node.name, nic: nic.name }),
    },
    { text: "Take it away…", act: () => work.removeNic(node.name, nic.name) },
  ];
}

function networkEntries(page: Page, { name, bridge }: { readonly name: string; readonly bridge: string }): MenuEntry[] {
  return [
    {
      text: "Its bridge: addresses and flows",
      onlyLooks: true,
      isOff: bridge === "",
      act: () => show(page, { kind: "bridge", bridge, network: name }),
    },
    { text: "Remove…", act: () => page.work.removeNetwork(name) },
  ];
}

function linkEntries(page: Page, link: string): MenuEntry[] {
  return [
    { text: "Impair…", act: () => page.dialog.set({ kind: "impair", target: { kind: "link", link } }) },
    { text: "Cut…", act: () => page.work.unwire(link) },
  ];
}

function show(page: Page, panel: Panel): void {
  page.panels.update((panels) => openPanel(panels, panel));
}
