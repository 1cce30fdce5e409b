/** The kernel's own VXLAN devices in the switch's namespace, and what we have given to bridges that they send by. */
import type { NamespaceView } from "@switchyard/linux";
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
    const whole = vxlan.group === multicastGroup(vxlan.id) && vxlan.learning;
    // With other settings it fits nothing, and is made anew.
    const lower = whole ? nameOf(home, vxlan.lower) : "";
    found.set(name, { lower, id: vxlan.id, port: vxlan.dstport, mtu, up, purpose });
  }
  return found;
}

/** @param bridges the names of all of the switch's */
export function observeUnderlays(
  bridges: Iterable<string>,
  home: NamespaceView,
  desired: State,
): Map<string, UnderlayState> {
  const found = new Map<string, UnderlayState>();
  for (const name of bridges) {
    const link = home.links.get(name);
    const wanted = desired.underlays.get(name);
    const addresses = link ? ours(link.addresses, wanted?.addresses ?? []) : [];
    if (link && (wanted || addresses.length > 0)) found.set(name, { addresses, up: link.up, purpose: "" });
  }
  return found;
}
