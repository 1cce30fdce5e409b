/** The part of the plan that makes bridges of the kernel's own, and puts NICs of the host into them. */
import type { Action } from "./action.ts";
import { sameHostBridge } from "./compare.ts";
import type { State } from "./state.ts";
import { parsePurpose } from "./subject.ts";

export function planBridges(desired: State, actual: State, actions: Action[]): void {
  for (const [nic, present] of actual.members) {
    if (!desired.members.has(nic)) actions.push({ do: "member-remove", nic, subject: parsePurpose(present.purpose) });
  }
  for (const [bridge, present] of actual.hostBridges) {
    if (!desired.hostBridges.has(bridge))
      actions.push({ do: "host-bridge-delete", bridge, subject: parsePurpose(present.purpose) });
  }
  for (const [bridge, state] of desired.hostBridges) {
    const present = actual.hostBridges.get(bridge);
    if (present && sameHostBridge(state, present)) continue;
    const gone = present?.addresses.filter((address) => !state.addresses.includes(address)) ?? [];
    const subject = parsePurpose(state.purpose);
    actions.push({ do: "host-bridge-set", bridge, state, there: present !== undefined, gone, subject });
  }
  for (const [nic, state] of desired.members) {
    // A bridge that is made anew has none.
    const kept = actual.members.get(nic)?.bridge === state.bridge && actual.hostBridges.has(state.bridge);
    if (!kept) actions.push({ do: "member-add", nic, bridge: state.bridge, subject: parsePurpose(state.purpose) });
  }
}
