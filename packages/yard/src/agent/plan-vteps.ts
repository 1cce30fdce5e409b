/** The part of the plan that makes the kernel's own VXLAN devices, and what they send by. */
import type { Action } from "./action.ts";
import { sameList } from "./compare.ts";
import type { State } from "./state.ts";
import { parsePurpose } from "./subject.ts";

/** @returns the ports whose device is made anew, and so they too */
export function planVteps(desired: State, actual: State, actions: Action[]): Set<string> {
  const renewed = new Set<string>();
  for (const [vtep, present] of actual.vteps) {
    if (!desired.vteps.has(vtep)) actions.push({ do: "vtep-delete", vtep, subject: parsePurpose(present.purpose) });
  }
  for (const [device, present] of actual.underlays) {
    if (desired.underlays.has(device) || present.addresses.length === 0) continue;
    actions.push({ do: "underlay-clear", device, gone: present.addresses, subject: { kind: "yard" } });
  }
  for (const [device, state] of desired.underlays) {
    const present = actual.underlays.get(device);
    if (present && present.up === state.up && sameList(present.addresses, state.addresses)) continue;
    const gone = present?.addresses.filter((address) => !state.addresses.includes(address)) ?? [];
    actions.push({ do: "underlay-set", device, state, gone, subject: parsePurpose(state.purpose) });
  }
  for (const [vtep, state] of desired.vteps) {
    const present = actual.vteps.get(vtep);
    const subject = parsePurpose(state.purpose);
    const fits =
      present?.lower === state.lower &&
      present.remote === state.remote &&
      present.id === state.id &&
      present.port === state.port;
    if (fits && present.mtu === state.mtu && present.up) continue;
    if (!fits && actual.ports.has(vtep) && desired.ports.has(vtep)) {
      renewed.add(vtep);
      actions.push({ do: "port-delete", port: vtep, renewed: true, subject });
    }
    if (!fits && present) actions.push({ do: "vtep-delete", vtep, subject });
    actions.push({ do: "vtep-set", vtep, state, there: fits, subject });
  }
  return renewed;
}
