/** The devices of virtual machines' nics, by what their aliases say of them. */
import type { Link, NamespaceView } from "@switchyard/linux";
import { parseAlias } from "./mark.ts";
import { nameOf } from "./observe-host.ts";
import { isPipeAlias } from "./pipe-work.ts";
import type { State, TapPlace, TapState } from "./state.ts";

/** How the alias of a device begins that is in the host's own namespace; what it is for follows. */
export const HOSTED = "hosted ";

/**
 * Those that bear this yard's mark, and those that somebody was killed over before he had marked them.
 *
 * @param near the links in the switch's namespace
 * @param host the view of the host's own
 */
export function tapStates(
  yard: string,
  near: Iterable<Link>,
  host: NamespaceView | undefined,
  desired: State,
): Map<string, TapState> {
  const found = new Map<string, TapState>();
  for (const link of near) {
    if (link.kind !== "tun" || isHosted(yard, link)) continue;
    const purpose = parseAlias(yard, link.alias);
    if (purpose !== undefined && isPipeAlias(purpose)) continue;
    if (purpose !== undefined) found.set(link.name, seen(link, { kind: "port" }, purpose));
    else if (isUnmarked(link, desired)) found.set(link.name, unfinished(link, { kind: "port" }));
  }
  for (const link of host?.links.values() ?? []) {
    const place = placeOf(link, host);
    if (place === undefined) continue;
    if (isHosted(yard, link)) found.set(link.name, seen(link, place, purposeOnHost(yard, link)));
    else if (isUnmarked(link, desired) && desired.taps.get(link.name)?.place.kind === place.kind)
      found.set(link.name, unfinished(link, place));
  }
  return found;
}

function placeOf(link: Link, host: NamespaceView | undefined): TapPlace | undefined {
  if (host === undefined) return undefined;
  if (link.kind === "tun") return { kind: "bridged", bridge: nameOf(host, link.master) };
  return link.kind === "macvtap" ? { kind: "macvtap", parent: nameOf(host, link.parent ?? 0) } : undefined;
}

function isHosted(yard: string, link: Link): boolean {
  return parseAlias(yard, link.alias)?.startsWith(HOSTED) ?? false;
}

function purposeOnHost(yard: string, link: Link): string {
  return (parseAlias(yard, link.alias) ?? "").slice(HOSTED.length);
}

function isUnmarked(link: Link, desired: State): boolean {
  return link.alias === "" && desired.taps.has(link.name);
}

function seen({ kind, mac, mtu, up }: Link, place: TapPlace, purpose: string): TapState {
  return { place, mac: kind === "macvtap" ? mac : "", mtu, up, purpose };
}

/** Not up, so that it is set right. */
function unfinished(link: Link, place: TapPlace): TapState {
  return { ...seen(link, place, ""), up: false };
}
