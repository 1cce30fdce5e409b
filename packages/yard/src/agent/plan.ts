/**
 * The difference between what shall be and what is, as actions. Pure: the same two states always give the same plan,
 * and carrying it out gives the desired state (model.ts, and the properties that plan.test.ts checks).
 */
import { type Action, ownsNamespace, PHASES, phaseOf } from "./action.ts";
import {
  sameBridge,
  sameContainer,
  sameFile,
  sameNat,
  samePipe,
  samePipeKind,
  samePort,
  sameService,
} from "./compare.ts";
import { planAddresses } from "./plan-addresses.ts";
import { planBridges } from "./plan-bridges.ts";
import { planLinks } from "./plan-links.ts";
import { planMachines, planTaps } from "./plan-machines.ts";
import { planSpies } from "./plan-spies.ts";
import { planVteps } from "./plan-vteps.ts";
import { routeDevice } from "./route.ts";
import {
  type ContainerNodeState,
  HOST,
  type NamespaceState,
  type ServiceState,
  type State,
  type VethState,
} from "./state.ts";
import { parsePurpose, type Subject } from "./subject.ts";

export interface PlanOptions {
  /** Start containers that have exited, and run commands again that have failed: what `up` asks for. */
  readonly revive: boolean;
}

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
    planRoutes(name, namespace, present, unrouted.get(name), actions);
    planSysctls(name, namespace, present, actions);
  }
  planMemberships(desired, actual, actions);
  planNats(desired, actual, actions);
  planExec(desired, actual, options, nodes, actions);
  return inPhases(actions);
}

/** What becomes of the nodes, which the rest of the plan hangs on. */
interface Nodes {
  /** Namespaces that are made or adopted by this plan: nothing is in them yet. */
  readonly fresh: ReadonlySet<string>;
  /** Namespaces that go away, maybe to come again: what is in them goes too. */
  readonly lost: ReadonlySet<string>;
  /** Namespaces that cannot be had now, as their container has exited: all that hangs on them stays as it is. */
  readonly dormant: ReadonlySet<string>;
  /** Nodes that begin a new life. */
  readonly reborn: ReadonlySet<string>;
  /** Nodes whose container has exited and stays so. */
  readonly asleep: ReadonlySet<string>;
}

function planNodes(desired: State, actual: State, options: PlanOptions, actions: Action[]): Nodes {
  const fresh = new Set<string>();
  const lost = new Set<string>();
  const dormant = new Set<string>();
  const reborn = new Set<string>();
  const asleep = new Set<string>();

  /** Containers as far as they do not hang on a namespace of ours. */
  const fate = new Map<string, Fate>();
  for (const [node, container] of desired.containers) {
    const present = actual.containers.get(node);
    let next = containerFate(container, present, options);
    const wanted = desired.namespaces.get(container.namespace);
    const there = actual.namespaces.get(container.namespace);
    // What lives in a namespace of ours cannot move to another one: with a new namespace comes a new container.
    if (present && wanted && !ownsNamespace(container) && there?.container !== wanted.container) next = "remake";
    if (present && !ownsNamespace(container) && there === undefined) next = "remake";
    fate.set(node, next);
  }
  for (const [node, container] of actual.containers) {
    if (desired.containers.has(node) && fate.get(node) !== "remake") continue;
    reborn.add(node);
    actions.push({ do: "container-remove", node, container, subject: { kind: "node", node } });
  }

  for (const [name, namespace] of desired.namespaces) {
    const node = namespace.node;
    const present = actual.namespaces.get(name);
    const own = namespace.container === undefined ? undefined : fate.get(namespace.container);
    if (own === "sleep") {
      dormant.add(name);
      continue;
    }
    const moves = own === "start" || own === "remake";
    if (present && present.container === namespace.container && !moves) continue;
    if (present) {
      lost.add(name);
      actions.push({ do: "namespace-delete", namespace: name, subject: { kind: "node", node } });
    }
    fresh.add(name);
    reborn.add(node);
    const how = namespace.container === undefined ? "namespace-create" : "namespace-adopt";
    actions.push({ do: how, namespace: name, node, subject: { kind: "node", node } });
  }
  for (const [name, namespace] of actual.namespaces) {
    if (desired.namespaces.has(name)) continue;
    lost.add(name);
    actions.push({ do: "namespace-delete", namespace: name, subject: { kind: "node", node: namespace.node } });
  }

  for (const [node, container] of desired.containers) {
    const subject: Subject = { kind: "node", node };
    const next = fate.get(node);
    if (next === "sleep") asleep.add(node);
    if (next === "remake") actions.push({ do: "container-create", node, container, subject });
    if (next === "remake" || next === "start") {
      reborn.add(node);
      actions.push({ do: "container-start", node, container, subject });
    }
  }
  return { fresh, lost, dormant, reborn, asleep };
}

/** `remake` also when there is none; `sleep` leaves an exited one alone. */
type Fate = "keep" | "start" | "remake" | "sleep";

function containerFate(
  wanted: ContainerNodeState,
  present: ContainerNodeState | undefined,
  options: PlanOptions,
): Fate {
  if (present === undefined || !sameContainer(wanted, present)) return "remake";
  switch (present.status) {
    case "running":
      return "keep";
    case "created":
      return "start";
    case "exited":
      return options.revive ? "start" : "sleep";
  }
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

/**
 * @param unrouted takes the nics whose routes are gone once the plan's earlier actions are done, by namespace
 * @returns the ports whose device is made anew, and so they too
 */
function planVeths(
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
