/** The part of the plan that makes the nics that are no ports of the switch. */
import type { Action } from "./action.ts";
import { sameMaking } from "./compare.ts";
import { planAddresses } from "./plan-addresses.ts";
import type { LinkState, State } from "./state.ts";
import { parsePurpose, type Subject } from "./subject.ts";

/** What becomes of the namespaces meanwhile. */
interface Namespaces {
  /** Those that are made or adopted by this plan: nothing is in them yet. */
  readonly fresh: ReadonlySet<string>;
  /** Those that go away, maybe to come again. */
  readonly lost: ReadonlySet<string>;
  /** Those that cannot be had now. */
  readonly dormant: ReadonlySet<string>;
}

/**
 * @param unrouted takes those whose routes the kernel drops in the course, by namespace
 * @returns the ports whose device is made anew, and so they too
 */
export function planLinks(
  desired: State,
  actual: State,
  namespaces: Namespaces,
  unrouted: (namespace: string, nic: string) => void,
  actions: Action[],
): Set<string> {
  const renewed = new Set<string>();
  for (const [link, present] of actual.links)
    if (!desired.links.has(link)) planRemoval(link, present, namespaces, parsePurpose(present.purpose), actions);
  for (const [link, state] of desired.links) {
    if (namespaces.dormant.has(state.namespace)) continue;
    const present = actual.links.get(link);
    const before = actions.length;
    if (planLink(link, state, present, namespaces, actions)) unrouted(state.namespace, state.name);
    const made = actions.slice(before).some((action) => action.do === "link-create");
    if (!made || !actual.ports.has(link) || !desired.ports.has(link)) continue;
    renewed.add(link);
    actions.push({ do: "port-delete", port: link, renewed: true, subject: parsePurpose(state.purpose) });
  }
  return renewed;
}

function planRemoval(link: string, present: LinkState, namespaces: Namespaces, subject: Subject, actions: Action[]) {
  if (present.making.kind === "passthrough") actions.push({ do: "link-return", link, state: present, subject });
  // Others go with the namespace that they are in.
  else if (!namespaces.lost.has(present.namespace)) actions.push({ do: "link-delete", link, state: present, subject });
}

/** @returns whether the kernel drops routes over it */
function planLink(
  link: string,
  state: LinkState,
  present: LinkState | undefined,
  namespaces: Namespaces,
  actions: Action[],
): boolean {
  const subject = parsePurpose(state.purpose);
  const { namespace, name, making } = state;
  const inPlace = present?.namespace === namespace && present.name === name && !namespaces.fresh.has(namespace);
  // A veth goes from one bridge to another as it is.
  const bridged = making.kind === "bridged" && present?.making.kind === "bridged";
  // Given back, a NIC has its own MAC and MTU again.
  const own = making.kind === "passthrough" && present !== undefined && regains(state, present);
  if (!inPlace || own || !(bridged || sameMaking(making, present.making))) {
    if (present) planRemoval(link, present, { ...namespaces, lost: new Set() }, subject, actions);
    actions.push({ do: "link-create", link, state, subject });
    planAddresses(link, state, [], subject, actions);
    return true;
  }
  const mac = state.mac !== "" && state.mac !== present.mac;
  const mtu = state.mtu !== 0 && state.mtu !== present.mtu;
  const up = state.up && !present.up;
  const bridge = making.kind === "bridged" && !sameMaking(making, present.making) ? making.bridge : undefined;
  if (mac || mtu || up || bridge !== undefined)
    actions.push({
      do: "link-set",
      link,
      namespace,
      name,
      ...(mac ? { mac: state.mac } : {}),
      ...(mtu ? { mtu: state.mtu } : {}),
      ...(up ? { up } : {}),
      ...(bridge === undefined ? {} : { bridge }),
      both: making.kind === "bridged",
      subject,
    });
  const gone = planAddresses(link, state, present.addresses, subject, actions);
  return up || gone;
}

/** Whether a NIC shall have a MAC or MTU of its own again that it was given another for. */
function regains(state: LinkState, present: LinkState): boolean {
  return (state.mac === "" && present.mac !== "") || (state.mtu === 0 && present.mtu !== 0);
}
