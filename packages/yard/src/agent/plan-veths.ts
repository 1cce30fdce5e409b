/** The nics of namespaces, and their ends at the switch. */
import type { Action } from "./action.ts";
import { sameList } from "./compare.ts";
import { planAddresses } from "./plan-addresses.ts";
import type { Nodes } from "./plan-nodes.ts";
import type { State, VethState } from "./state.ts";
import { parsePurpose } from "./subject.ts";

/**
 * @param unrouted takes the nics whose routes are gone once the plan's earlier actions are done, by namespace
 * @returns the ports whose device is made anew, and so they too
 */
export function planVeths(
  desired: State,
  actual: State,
  nodes: Nodes,
  unrouted: (namespace: string, nic: string) => void,
  actions: Action[],
): Set<string> {
  for (const [veth, present] of actual.veths) {
    // The far end's namespace takes it along, in its own time: where a tap device is to have its name, that is too late.
    const goes = nodes.lost.has(present.namespace) && !desired.taps.has(veth);
    if (desired.veths.has(veth) || goes) continue;
    actions.push({ do: "veth-delete", veth, subject: parsePurpose(present.purpose) });
  }
  const renewed = new Set<string>();
  for (const [veth, state] of desired.veths) {
    if (nodes.dormant.has(state.namespace)) continue;
    const present = actual.veths.get(veth);
    const fits = isInPlace(state, present, nodes);
    if (fits && isAsWanted(state, present)) continue;
    if (!fits && actual.ports.has(veth) && desired.ports.has(veth)) {
      renewed.add(veth);
      actions.push({ do: "port-delete", port: veth, renewed: true, subject: parsePurpose(state.purpose) });
    }
    if (planVeth(veth, state, present, nodes, actions)) unrouted(state.namespace, state.name);
  }
  return renewed;
}

/** Whether a veth is where it shall be, and stays there. */
function isInPlace(state: VethState, present: VethState | undefined, nodes: Nodes): present is VethState {
  const { namespace, name } = state;
  return present?.namespace === namespace && present.name === name && !nodes.fresh.has(namespace);
}

/** Whether nothing of one that is in its place has to be changed. */
function isAsWanted(state: VethState, present: VethState): boolean {
  return (
    (state.mac === "" || state.mac === present.mac) &&
    state.mtu === present.mtu &&
    (present.up || !state.up) &&
    (state.offloads || !present.offloads) &&
    sameList(state.addresses, present.addresses)
  );
}

/** @returns whether the kernel drops routes over this nic in the course */
function planVeth(
  veth: string,
  state: VethState,
  present: VethState | undefined,
  nodes: Nodes,
  actions: Action[],
): boolean {
  const subject = parsePurpose(state.purpose);
  const { namespace, name } = state;
  if (!isInPlace(state, present, nodes)) {
    // Also where its old namespace goes: a namespace dies in its own time, and the name must be free at once.
    if (present) actions.push({ do: "veth-delete", veth, subject });
    actions.push({ do: "veth-create", veth, state, subject });
    planAddresses(veth, state, [], subject, actions);
    return true;
  }
  const mac = state.mac !== "" && state.mac !== present.mac;
  const mtu = state.mtu !== present.mtu;
  const up = state.up && !present.up;
  const finish = !state.offloads && present.offloads;
  if (mac || mtu || up || finish) {
    actions.push({
      do: "veth-set",
      veth,
      namespace,
      name,
      ...(mac ? { mac: state.mac } : {}),
      ...(mtu ? { mtu: state.mtu } : {}),
      ...(up ? { up } : {}),
      ...(finish ? { offloads: false } : {}),
      subject,
    });
  }
  const gone = planAddresses(veth, state, present.addresses, subject, actions);
  return up || gone;
}
