/** The veths of nics and gateways, by what the aliases of their two ends say. */
import type { Link, NamespaceView } from "@switchyard/linux";
import { parseAlias } from "./mark.ts";
import { ours } from "./observe-addresses.ts";
import { MEMBER } from "./observe-host.ts";
import { BRIDGED } from "./observe-links.ts";
import { PASSED } from "./passthrough.ts";
import { isPipeAlias } from "./pipe-work.ts";
import { ELSEWHERE, HOST, type State, type VethState } from "./state.ts";

/** How the alias of a far end begins; the port's name follows. */
export const FAR_END = "end ";

/** How the aliases begin of veths that are no near ends of ports. */
const OTHERS = [FAR_END, BRIDGED, MEMBER, PASSED] as const;

interface FarEnd {
  readonly port: string;
  readonly namespace: string;
  readonly link: Link;
}

// A view, and with it its links, is the same object until the kernel tells that something in its namespace has changed.
const farEnds = new WeakMap<NamespaceView, { readonly yard: string; readonly ends: readonly FarEnd[] }>();
/** By near end: what was made of it, and of what else. */
const known = new WeakMap<
  Link,
  { readonly far: Link | undefined; readonly wanted: VethState | undefined; readonly state: VethState }
>();

/**
 * The veths whose near end, in the switch's namespace, bears this yard's mark; far ends are found by theirs.
 *
 * @param near the links in the switch's namespace
 * @param home what the view of that is called
 */
export function vethStates(
  yard: string,
  near: Iterable<Link>,
  views: ReadonlyMap<string, NamespaceView>,
  home: string,
  desired: State,
): Map<string, VethState> {
  const far = new Map<string, FarEnd>();
  for (const [name, view] of views) {
    if (name === home) continue;
    for (const end of farEndsIn(yard, name, view)) far.set(end.port, end);
  }
  const found = new Map<string, VethState>();
  for (const link of near) {
    const end = far.get(link.name);
    const wanted = desired.veths.get(link.name);
    const before = known.get(link);
    if (before && before.far === end?.link && before.wanted === wanted) {
      found.set(link.name, before.state);
      continue;
    }
    const purpose = link.kind === "veth" ? parseAlias(yard, link.alias) : undefined;
    if (purpose === undefined || isPipeAlias(purpose)) continue;
    if (OTHERS.some((beginning) => purpose.startsWith(beginning))) continue;
    const state =
      wanted?.namespace === ELSEWHERE ? elsewhere(link, wanted, purpose) : whole(link, end, wanted, purpose);
    known.set(link, { far: end?.link, wanted, state });
    found.set(link.name, state);
  }
  return found;
}

function farEndsIn(yard: string, name: string, view: NamespaceView): readonly FarEnd[] {
  const before = farEnds.get(view);
  if (before?.yard === yard) return before.ends;
  const ends: FarEnd[] = [];
  for (const link of view.links.values()) {
    const text = link.kind === "veth" ? parseAlias(yard, link.alias) : undefined;
    if (text?.startsWith(FAR_END))
      ends.push({ port: text.slice(FAR_END.length), namespace: name === "self" ? HOST : name, link });
  }
  farEnds.set(view, { yard, ends });
  return ends;
}

function whole(link: Link, end: FarEnd | undefined, wanted: VethState | undefined, purpose: string): VethState {
  return {
    // Without its far end it fits nothing, and is made anew.
    namespace: end?.namespace ?? "",
    name: end?.link.name ?? "",
    mac: end?.link.mac ?? "",
    mtu: end && end.link.mtu === link.mtu ? link.mtu : 0,
    up: link.up && (end?.link.up ?? false),
    offloads: end?.link.offloads ?? wanted?.offloads ?? true,
    addresses: ours(end?.link.addresses ?? [], wanted?.addresses ?? []),
    purpose,
  };
}

/** A veth whose far end is another's to look after. While there is a near end, there is the other. */
function elsewhere(near: Link, wanted: VethState, purpose: string): VethState {
  return { ...wanted, mtu: near.mtu, up: near.up, purpose };
}
