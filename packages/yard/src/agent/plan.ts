/**
 * The difference between what shall be and what is, as actions. Pure: the same two states always give the same plan,
 * and carrying it out gives the desired state (model.ts, and the properties that plan.test.ts checks).
 */
import { type Action, PHASES, phaseOf } from "./action.ts";
import { sameBridge, sameFile, sameList, sameNat, samePipe, samePipeKind, samePort, sameService } from "./compare.ts";
import { planBridges } from "./plan-bridges.ts";
import { planLinks } from "./plan-links.ts";
import { planMachines, planTaps } from "./plan-machines.ts";
import { type Nodes, type PlanOptions, planNodes } from "./plan-nodes.ts";
import { planSpies } from "./plan-spies.ts";
import { planVeths } from "./plan-veths.ts";
import { planVteps } from "./plan-vteps.ts";
import { routeDevice } from "./route.ts";
import { HOST, type NamespaceState, type ServiceState, type State } from "./state.ts";
import { parsePurpose, type Subject } from "./subject.ts";

/** The actions that lead from `actual` to `desired`, in the order of their phases; none when there is no difference. */
export function plan(desired: State, actual: State, options: PlanOptions): Action[] {
  const actions: Action[] = [];
  const nodes = planNodes(desired, actual, options, actions);
  planMachines(desired, actual, options, actions);
  planServices(desired, actual, nodes, actions);
  planFiles(desired, actual, actions);
  const unrouted = new Map<string, Set<string>>();
  const dropped = (namespace: string, nic: string) =>
    void unrouted.set(namespace, (unrouted.get(namespace) ?? new Set()).add(nic));
  const renewed = planVeths(desired, actual, nodes, dropped, actions);
  for (const port of planLinks(desired, actual, nodes, dropped, actions)) renewed.add(port);
  planBridges(desired, actual, actions);
  for (const tap of planTaps(desired, actual, actions)) renewed.add(tap);
  for (const port of planPipes(desired, actual, actions)) renewed.add(port);
  for (const port of planVteps(desired, actual, actions)) renewed.add(port);
  planSwitch(desired, actual, nodes, renewed, actions);
  planSpies(desired, actual, { renewed, dormant: nodes.dormant }, actions);
  for (const [name, namespace] of desired.namespaces) {
    if (nodes.dormant.has(name)) continue;
    const present = nodes.fresh.has(name) ? undefined : actual.namespaces.get(name);
    const gone = unrouted.get(name);
    if (gone !== undefined || !sameList(namespace.routes, present?.routes ?? []))
      planRoutes(name, namespace, present, gone, actions);
    planSysctls(name, namespace, present, actions);
  }
  planMemberships(desired, actual, actions);
  planNats(desired, actual, actions);
  planExec(desired, actual, options, nodes, actions);
  return inPhases(actions);
}

function planServices(desired: State, actual: State, nodes: Nodes, actions: Action[]): void {
  /** In a namespace that is made anew there is nothing of the one before. */
  const stays = (wanted: ServiceState, present: ServiceState) =>
    sameService(wanted, present) && !nodes.fresh.has(wanted.namespace ?? "");
  for (const [id, present] of actual.services) {
    const wanted = desired.services.get(id);
    const subject = parsePurpose((wanted ?? present).purpose);
    if (wanted === undefined || !stays(wanted, present)) actions.push({ do: "service-stop", id, subject });
  }
  for (const [id, state] of desired.services) {
    const present = actual.services.get(id);
    if (nodes.dormant.has(state.namespace ?? "")) continue;
    if (present?.running && stays(state, present)) continue;
    actions.push({ do: "service-start", id, state, subject: parsePurpose(state.purpose) });
  }
}

function planFiles(desired: State, actual: State, actions: Action[]): void {
  for (const [path, file] of actual.files) {
    if (!desired.files.has(path)) actions.push({ do: "file-delete", path, subject: parsePurpose(file.purpose) });
  }
  for (const [path, file] of desired.files) {
    const present = actual.files.get(path);
    if (present === undefined || !sameFile(file, present))
      actions.push({ do: "file-write", path, file, subject: parsePurpose(file.purpose) });
  }
}

/** @returns the ports whose device is made anew, and so they too */
function planPipes(desired: State, actual: State, actions: Action[]): Set<string> {
  const renewed = new Set<string>();
  for (const [pipe, present] of actual.pipes) {
    const wanted = desired.pipes.get(pipe);
    if (wanted && samePipeKind(wanted, present)) continue;
    actions.push({ do: "pipe-delete", pipe, far: present.far, subject: parsePurpose(present.purpose) });
  }
  for (const [pipe, state] of desired.pipes) {
    const subject = parsePurpose(state.purpose);
    const present = actual.pipes.get(pipe);
    if (present && samePipeKind(state, present)) {
      if (!samePipe(state, present)) actions.push({ do: "pipe-set", pipe, state, subject });
      continue;
    }
    actions.push({ do: "pipe-create", pipe, state, subject });
    for (const port of [pipe, state.far]) {
      if (!actual.ports.has(port) || !desired.ports.has(port)) continue;
      renewed.add(port);
      actions.push({ do: "port-delete", port, renewed: true, subject });
    }
  }
  return renewed;
}

function planRoutes(
  namespace: string,
  wanted: NamespaceState,
  present: NamespaceState | undefined,
  unrouted: ReadonlySet<string> | undefined,
  actions: Action[],
): void {
  const subject: Subject = { kind: "node", node: wanted.node };
  const there = new Set(present?.routes);
  for (const route of there) {
    if (!wanted.routes.includes(route)) actions.push({ do: "route-delete", namespace, route, subject });
  }
  // A next hop may be reached over a route that names only a device: those first.
  const onLinkFirst = wanted.routes.toSorted((a, b) => Number(a.includes(" via ")) - Number(b.includes(" via ")));
  for (const route of onLinkFirst) {
    const dropped = unrouted?.has(routeDevice(route) ?? "");
    if (!there.has(route) || dropped) actions.push({ do: "route-add", namespace, route, subject });
  }
}

function planSysctls(
  namespace: string,
  wanted: NamespaceState,
  present: NamespaceState | undefined,
  actions: Action[],
): void {
  for (const [name, value] of Object.entries(wanted.sysctls)) {
    if (present?.sysctls[name] !== value)
      actions.push({ do: "sysctl-set", namespace, name, value, subject: { kind: "node", node: wanted.node } });
  }
}

function planSwitch(
  desired: State,
  actual: State,
  nodes: Nodes,
  renewed: ReadonlySet<string>,
  actions: Action[],
): void {
  for (const [port, present] of actual.ports) {
    if (!desired.ports.has(port)) actions.push({ do: "port-delete", port, subject: parsePurpose(present.purpose) });
  }
  for (const [bridge, state] of desired.bridges) {
    const present = actual.bridges.get(bridge);
    if (present === undefined || !sameBridge(state, present))
      actions.push({ do: "bridge-set", bridge, state, subject: parsePurpose(state.purpose) });
  }
  for (const [port, state] of desired.ports) {
    const veth = desired.veths.get(port);
    if (veth && nodes.dormant.has(veth.namespace)) continue;
    const present = actual.ports.get(port);
    if (present === undefined || renewed.has(port) || !samePort(state, present))
      actions.push({
        do: "port-set",
        port,
        state,
        ...(desired.vteps.has(port) ? { late: true } : {}),
        subject: parsePurpose(state.purpose),
      });
  }
  for (const [bridge, present] of actual.bridges) {
    if (!desired.bridges.has(bridge))
      actions.push({ do: "bridge-delete", bridge, subject: parsePurpose(present.purpose) });
  }
}

/** A process that is stopped, or started on another home, has what it was a member of no more, or again by itself. */
function planMemberships(desired: State, actual: State, actions: Action[]): void {
  for (const [membership, state] of desired.memberships) {
    if (!actual.memberships.has(membership))
      actions.push({ do: "zerotier-join", membership, state, subject: parsePurpose(state.purpose) });
  }
  const kept = new Set([...desired.memberships.values()].map(({ home }) => home));
  for (const [membership, state] of actual.memberships) {
    if (!desired.memberships.has(membership) && kept.has(state.home))
      actions.push({ do: "zerotier-leave", membership, state, subject: parsePurpose(state.purpose) });
  }
}

function planNats(desired: State, actual: State, actions: Action[]): void {
  for (const [device, present] of actual.nats) {
    if (!desired.nats.has(device)) actions.push({ do: "nat-delete", device, subject: parsePurpose(present.purpose) });
  }
  // A new link does not know what the one before it was told.
  const made = new Set(
    actions.flatMap((it) => {
      if (it.do === "host-bridge-set") return it.there ? [] : [it.bridge];
      return it.do === "veth-create" && it.state.namespace === HOST ? [it.state.name] : [];
    }),
  );
  for (const [device, state] of desired.nats) {
    const present = actual.nats.get(device);
    if (present === undefined || made.has(device) || !sameNat(state, present))
      actions.push({ do: "nat-set", device, state, subject: parsePurpose(state.purpose) });
  }
}

function planExec(desired: State, actual: State, options: PlanOptions, nodes: Nodes, actions: Action[]): void {
  for (const node of actual.exec.keys()) {
    if (!desired.exec.has(node)) actions.push({ do: "exec-forget", node, subject: { kind: "node", node } });
  }
  for (const [node, state] of desired.exec) {
    if (nodes.asleep.has(node) || nodes.dormant.has(state.namespace)) continue;
    const done = actual.exec.get(node);
    const again = done === undefined || done.hash !== state.hash || (done.failed && options.revive);
    if (again || nodes.reborn.has(node)) actions.push({ do: "exec", node, state, subject: { kind: "node", node } });
  }
}

/** Sorted by phase, and within "configure" by what the kernel needs first; otherwise in the order given. */
function inPhases(actions: readonly Action[]): Action[] {
  const buckets = PHASES.map((): Action[] => []);
  for (const action of actions) buckets[PHASES.indexOf(phaseOf(action))]?.push(action);
  return buckets.flatMap((bucket) => (bucket.some((it) => it.do in STEPS) ? bySteps(bucket) : bucket));
}

/** Old routes go while their device still has its address, new ones come when it has. */
const STEPS: Readonly<Record<string, number>> = {
  "sysctl-set": 0,
  "route-delete": 1,
  "address-delete": 2,
  "address-add": 3,
  "route-add": 4,
};

function bySteps(actions: readonly Action[]): Action[] {
  return actions.toSorted((a, b) => (STEPS[a.do] ?? 0) - (STEPS[b.do] ?? 0));
}
