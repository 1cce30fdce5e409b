/** The kernel's own VXLAN devices in the switch's namespace, and what we have given to bridges that they send by. */
import { marksAddresses, type NamespaceView } from "@switchyard/linux";
import { multicastGroup } from "@switchyard/vswitch";
import { parseAlias } from "./mark.ts";
import { ours } from "./observe-addresses.ts";
import { nameOf } from "./observe-host.ts";
import type { State, UnderlayState, VtepState } from "./state.ts";

export function observeVteps(yard: string, home: NamespaceView): Map<string, VtepState> {
  const found = new Map<string, VtepState>();
  for (const { name, kind, alias, mtu, up, vxlan } of home.links.values()) {
    const purpose = kind === "vxlan" ? parseAlias(yard, alias) : undefined;
    if (purpose === undefined || vxlan === undefined) continue;
    // With other settings it fits nothing, and is made anew.
    const lower = vxlan.learning && vxlan.group !== "" ? nameOf(home, vxlan.lower) : "";
    const remote = vxlan.group === multicastGroup(vxlan.id) ? "" : vxlan.group;
    found.set(name, { lower, remote, id: vxlan.id, port: vxlan.dstport, mtu, up, purpose });
  }
  return found;
}

/**
 * What tunnels go out by. Of a bridge that is not the yard's only what bears our mark is looked at, and only while a
 * tunnel of ours is on it or shall be: others give addresses to their bridges too.
 *
 * @param own the names of the yard's bridges
 */
export function observeUnderlays(
  own: Iterable<string>,
  vteps: ReadonlyMap<string, VtepState>,
  home: NamespaceView,
  desired: State,
): Map<string, UnderlayState> {
  const found = new Map<string, UnderlayState>();
  const yards = new Set(own);
  const lowers = Array.from(vteps.values(), ({ lower }) => lower);
  for (const name of new Set([...yards, ...lowers, ...desired.underlays.keys()])) {
    const link = home.links.get(name);
    const wanted = desired.underlays.get(name);
    const told = yards.has(name) || marksAddresses();
    const present = told ? link?.addresses : link?.addresses.map((it) => ({ ...it, ours: false }));
    const addresses = ours(present ?? [], wanted?.addresses ?? []);
    if (link && (wanted || addresses.length > 0)) found.set(name, { addresses, up: link.up, purpose: "" });
  }
  return found;
}
