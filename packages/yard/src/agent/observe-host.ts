/** What of the host's own links is this yard's, or has been put where it is by this yard. */
import type { Link, NamespaceView } from "@switchyard/linux";
import { parseAlias } from "./mark.ts";
import { ours } from "./observe-addresses.ts";
import type { HostBridgeState, MemberState, State } from "./state.ts";
import { parsePurpose } from "./subject.ts";

/** How the alias of a NIC that we have put into a bridge begins; the bridge's name follows, then the NIC's own alias. */
export const MEMBER = "member ";

/** The bridges of the kernel's own that bear the yard's mark. */
export function hostBridges(yard: string, host: NamespaceView, desired: State): Map<string, HostBridgeState> {
  const found = new Map<string, HostBridgeState>();
  for (const link of host.links.values()) {
    const purpose = link.kind === "bridge" ? parseAlias(yard, link.alias) : undefined;
    if (purpose === undefined || parsePurpose(purpose).kind !== "bridge") continue;
    const { mac, up, group } = link;
    const wanted = desired.hostBridges.get(link.name)?.addresses ?? [];
    found.set(link.name, { mac, up, group, addresses: ours(link.addresses, wanted), purpose });
  }
  return found;
}

/** The NICs that bear the mark of a member. */
export function hostMembers(yard: string, host: NamespaceView): Map<string, MemberState> {
  const found = new Map<string, MemberState>();
  for (const link of host.links.values()) {
    const mark = parseMember(yard, link.alias);
    if (mark === undefined) continue;
    found.set(link.name, { bridge: nameOf(host, link.master), purpose: `bridge ${mark.bridge}` });
  }
  return found;
}

/** The bridge that a NIC was put into, and the alias that it had; undefined where it bears no such mark. */
export function parseMember(
  yard: string,
  alias: string,
): { readonly bridge: string; readonly alias: string } | undefined {
  const text = parseAlias(yard, alias);
  if (!text?.startsWith(MEMBER)) return undefined;
  const [bridge = "", ...own] = text.slice(MEMBER.length).split(" ");
  return { bridge, alias: own.join(" ") };
}

/** The name of the link with that index; empty where there is none. */
export function nameOf(view: NamespaceView, index: number): string {
  if (index === 0) return "";
  return [...view.links.values()].find((link: Link) => link.index === index)?.name ?? "";
}
