/** The nics that are no ports of the switch, by what their aliases say of them. */
import type { Link, NamespaceView } from "@switchyard/linux";
import { parseAlias } from "./mark.ts";
import { ours } from "./observe-addresses.ts";
import { nameOf } from "./observe-host.ts";
import { PASSED, parsePassed } from "./passthrough.ts";
import { HOST, type LinkMaking, type LinkState, type State } from "./state.ts";

/** How the alias of the end on the host begins of a veth to a bridge of the kernel's own; the link's key follows. */
export const BRIDGED = "bridged ";
/** How the alias of a macvlan begins; its key follows. */
export const MACVLAN = "macvlan ";

/** The MACs of the NICs of the host's that are in nodes, by the key of each. */
export function passedMacs(yard: string, views: ReadonlyMap<string, NamespaceView>): Map<string, string> {
  const found = new Map<string, string>();
  for (const view of views.values()) {
    if (!bearsNics(yard, view)) continue;
    for (const { alias, mac } of view.links.values()) {
      const passed = parsePassed(yard, alias);
      if (passed) found.set(passed.link, mac);
    }
  }
  return found;
}

// A view is the same object until the kernel tells that something in its namespace has changed.
const bearing = new WeakMap<NamespaceView, { readonly yard: string; readonly bears: boolean }>();

/** Whether there is a NIC of the host's in a namespace, or a macvlan on one, for this yard. */
function bearsNics(yard: string, view: NamespaceView): boolean {
  const before = bearing.get(view);
  if (before?.yard === yard) return before.bears;
  const bears = [...view.links.values()].some(({ alias }) => {
    const text = parseAlias(yard, alias);
    return text?.startsWith(PASSED) || text?.startsWith(MACVLAN);
  });
  bearing.set(view, { yard, bears });
  return bears;
}

/**
 * @param views of the nodes' namespaces by name, and of the host's own as `self`
 * @param farEnd how the alias of a veth's far end begins
 */
export function linkStates(
  yard: string,
  views: ReadonlyMap<string, NamespaceView>,
  farEnd: string,
  desired: State,
): Map<string, LinkState> {
  const host = views.get("self");
  const found = new Map<string, LinkState>();
  if (host === undefined) return found;
  const nears = new Map<string, Link>();
  for (const link of host.links.values()) {
    const text = link.kind === "veth" ? parseAlias(yard, link.alias) : undefined;
    if (text?.startsWith(BRIDGED)) nears.set(text.slice(BRIDGED.length), link);
  }
  const add = (key: string, namespace: string, link: Link, making: LinkMaking, more: Partial<LinkState> = {}) => {
    const wanted = desired.links.get(key);
    const { name, mac, mtu, up } = link;
    const addresses = ours(link.addresses, wanted?.addresses ?? []);
    found.set(key, { making, namespace, name, mac, mtu, up, addresses, purpose: wanted?.purpose ?? "yard", ...more });
  };
  for (const [name, view] of views) {
    const namespace = name === "self" ? HOST : name;
    if (nears.size === 0 && !bearsNics(yard, view)) continue;
    for (const link of view.links.values()) {
      const passed = parsePassed(yard, link.alias);
      if (passed) {
        const wanted = desired.links.get(passed.link);
        const mac = wanted?.mac === "" && link.mac === passed.mac ? "" : link.mac;
        const mtu = wanted?.mtu === 0 && link.mtu === passed.mtu ? 0 : link.mtu;
        add(passed.link, namespace, link, { kind: "passthrough", parent: passed.name }, { mac, mtu });
        continue;
      }
      const text = parseAlias(yard, link.alias);
      if (link.kind === "macvlan" && text?.startsWith(MACVLAN)) {
        const parent = nameOf(host, link.parent ?? 0);
        add(text.slice(MACVLAN.length), namespace, link, { kind: "macvlan", parent });
      }
      const key = link.kind === "veth" && text?.startsWith(farEnd) ? text.slice(farEnd.length) : undefined;
      const near = key === undefined ? undefined : nears.get(key);
      if (key === undefined || near === undefined) continue;
      nears.delete(key);
      const both = { up: near.up && link.up, mtu: near.mtu === link.mtu ? link.mtu : 0 };
      add(key, namespace, link, { kind: "bridged", bridge: nameOf(host, near.master) }, both);
    }
  }
  // One whose far end is nowhere fits nothing, and is made anew.
  for (const [key, near] of nears) add(key, "", near, { kind: "bridged", bridge: nameOf(host, near.master) });
  return found;
}
