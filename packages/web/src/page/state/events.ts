/** What an event makes of what is known of the yard. */
import type { BridgeView, LabView, LinkView, NetworkView, NodeView, YardView } from "../api/contract.ts";
import { reuse } from "./reuse.ts";

/** A whole thing as it is now; null: it is gone. */
interface Told<T> {
  readonly name: string;
  readonly value: T | null;
}

/** Events that tell of the yard's things: docs/http.md. */
export type ThingEvent =
  | { readonly event: "node"; readonly data: Told<NodeView> }
  | { readonly event: "network"; readonly data: Told<NetworkView> }
  | { readonly event: "link"; readonly data: Told<LinkView> }
  | { readonly event: "bridge"; readonly data: Told<BridgeView> }
  | { readonly event: "lab"; readonly data: Told<LabView> }
  | { readonly event: "yard"; readonly data: Pick<YardView, "agent" | "datapath" | "error"> };

/** The yard after some events; what they do not touch is the same thing as before. */
export function told(view: YardView, events: readonly ThingEvent[]): YardView {
  return events.reduce((it, event) => reuse(it, after(it, event)), view);
}

function after(view: YardView, { event, data }: ThingEvent): YardView {
  switch (event) {
    case "node":
      return { ...view, nodes: put(view.nodes, data) };
    case "network":
      return { ...view, networks: put(view.networks, data) };
    case "link":
      return { ...view, links: put(view.links, data) };
    case "bridge":
      return { ...view, bridges: put(view.bridges, data) };
    case "lab":
      return { ...view, labs: put(view.labs, data) };
    case "yard":
      return { ...view, ...data };
  }
}

/** What is known keeps its place; what is new comes last. */
function put<T extends { readonly name: string }>(things: readonly T[], { name, value }: Told<T>): readonly T[] {
  if (value === null) return things.filter((thing) => thing.name !== name);
  const isKnown = things.some((thing) => thing.name === name);
  return isKnown ? things.map((thing) => (thing.name === name ? value : thing)) : [...things, value];
}
