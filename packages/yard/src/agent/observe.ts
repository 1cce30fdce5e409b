import type { YardError } from "@switchyard/base";
import {
  forwarding6,
  type Link,
  linkSysctl,
  listMasquerades,
  listNamespaces,
  type Masquerade,
  type NamespaceView,
  namespaceId,
  netemDevices,
  readSysctls,
} from "@switchyard/linux";
import type { ContainerState, VmState } from "@switchyard/runtime";
import { type ObservedPort, observeSwitch } from "@switchyard/vswitch";
import { type Membership, membershipKey } from "./desire-zerotier.ts";
import { type EngineKey, engineId } from "./engines.ts";
import { readFiles } from "./files.ts";
import { LABEL_FINGERPRINT, LABEL_NAMESPACE, parseAlias } from "./mark.ts";
import { APART, isNatTable, natTable, natTablePrefix } from "./names.ts";
import { hostBridges, hostMembers } from "./observe-host.ts";
import { linkStates, passedMacs } from "./observe-links.ts";
import { tapStates } from "./observe-taps.ts";
import { FAR_END, vethStates } from "./observe-veths.ts";
import { observeUnderlays, observeVteps } from "./observe-vteps.ts";
import { pipesIn } from "./pipe-work.ts";
import { formatRoute } from "./route.ts";
import type { World } from "./site.ts";
import {
  type ContainerNodeState,
  ELSEWHERE,
  type ExecState,
  HOST,
  type MachineState,
  type MembershipState,
  type NamespaceState,
  type NatState,
  type ServiceState,
  type SinkState,
  type State,
  type VtepState,
} from "./state.ts";
import { listMemberships } from "./zerotier-work.ts";

/** The marks that nodes' commands left in their rows, by node. */
export type ExecMarks = ReadonlyMap<string, ExecMark>;
export interface ExecMark {
  /** The life of the node in which they ran, see {@link lifeOf}. */
  readonly life: string;
  readonly hash: string;
  readonly failed: boolean;
}

/** The state of a host, with what else is learned on the way. */
export interface Observation {
  readonly state: State;
  /** By node. */
  readonly containers: ReadonlyMap<string, ContainerState>;
  /** By node. */
  readonly machines: ReadonlyMap<string, VmState>;
  /** With ofport and error. */
  readonly ports: ReadonlyMap<string, ObservedPort>;
  /** Of the NICs of the host's that are in nodes, by the name that their port would have. */
  readonly macs: ReadonlyMap<string, string>;
  /** What zerotier-one tells of each membership that is wanted. */
  readonly memberships: ReadonlyMap<string, Membership>;
  /** Engines that told of all containers of the yard that are on them. */
  readonly answered: ReadonlySet<string>;
  /** Engines that did not answer: what is on them is unknown. */
  readonly failures: ReadonlyMap<string, YardError>;
}

/**
 * Looks at the host: what of it bears this yard's mark.
 *
 * @param desired tells which sysctls, files and engines matter beside what is found
 */
export async function observe(world: World, desired: State, marks: ExecMarks): Promise<Observation> {
  const { paths } = world;
  const { bridges, ports, mirrors } = observeSwitch(world.vswitch, paths.yard, foreignIn(desired));
  const nats = natStates(paths.yard);
  const wantedEngines = [...desired.containers.values()];
  const [engines, machines, memberships] = await Promise.all([
    world.engines.list(wantedEngines),
    world.hypervisor.list(desired.machines.size > 0),
    listMemberships(new Map([...desired.memberships.values()].map((it) => [it.home, it])).values()),
  ]);

  const netem = [...desired.pipes.values()].some(({ by }) => by === "netem");
  const emulated = netem ? netemDevices(world.namespace) : new Set<string>();

  const containers = new Map<string, ContainerNodeState>();
  for (const [node, { key, state }] of engines.containers) containers.set(node, containerState(key, state));

  const prefix = `${paths.namespace}_`;
  const names = listNamespaces().filter((name) => name.startsWith(prefix));
  const hosted = [...desired.taps.values()].some(({ place }) => place.kind !== "port");
  const onHost = hosted || desired.links.size + desired.hostBridges.size > 0;
  const refs = [...names, ...otherYards(desired, prefix)].map((name) => ({ name }));
  const views = await world.views.read([...refs, world.namespace, "self"], onHost);
  const host = views.get("self");
  const home = views.get(world.namespace === "self" ? "self" : paths.namespace);
  const vteps = home ? observeVteps(paths.yard, home) : new Map<string, VtepState>();
  const namespaces = new Map<string, NamespaceState>();
  for (const name of names) {
    const wanted = desired.namespaces.get(name);
    // One that was left half-made is there to be taken away, but not to be used.
    if (wanted && !views.has(name)) continue;
    const node = name.slice(prefix.length);
    const engine = engines.containers.get(node);
    const owner = engine && engine.key.runtime === "docker" ? engine.state : undefined;
    namespaces.set(name, {
      node,
      routes: (views.get(name)?.routes ?? []).map(formatRoute).sort(),
      sysctls: wanted ? readSysctls({ name }, Object.keys(wanted.sysctls)) : {},
      container: isNamespaceOf(name, owner) ? node : undefined,
    });
  }

  return {
    state: {
      bridges,
      ports,
      mirrors,
      sinks: sinks(world, views),
      namespaces,
      veths: vethStates(paths.yard, nearLinks(world, views), views, paths.namespace, desired),
      pipes: pipesIn(paths.yard, nearByName(world, views), desired.pipes, await emulated),
      links: linkStates(paths.yard, views, FAR_END, desired),
      vteps,
      underlays: home ? observeUnderlays(bridges.keys(), vteps, home, desired) : new Map(),
      containers,
      taps: tapStates(paths.yard, nearLinks(world, views), host, desired),
      machines: new Map([...machines].map(([node, state]) => [node, machineState(state)])),
      services: services(world, desired),
      memberships: membershipStates(memberships, desired),
      nats: await nats,
      hostBridges: host ? hostBridges(paths.yard, host, desired) : new Map(),
      members: host ? hostMembers(paths.yard, host) : new Map(),
      files: readFiles(paths, desired.files.keys()),
      exec: execStates(desired, marks, world.boot, engines.containers),
    },
    containers: new Map([...engines.containers].map(([node, { state }]) => [node, state])),
    machines,
    ports,
    macs: passedMacs(paths.yard, views),
    memberships: membershipsTold(memberships, desired),
    answered: engines.answered,
    failures: new Map(engines.failures.map(({ key, error }) => [engineId(key), error])),
  };
}

/** The ports of other owners that nics have. */
function foreignIn({ ports }: State): ReadonlyMap<string, unknown> {
  return new Map([...ports].filter(([, { foreign }]) => foreign));
}

function containerState(key: EngineKey, state: ContainerState): ContainerNodeState {
  const status = state.status === "paused" ? "running" : state.status === "dead" ? "exited" : state.status;
  return {
    runtime: key.runtime,
    engine: key.engine,
    fingerprint: state.labels[LABEL_FINGERPRINT] ?? "",
    status,
    namespace: state.labels[LABEL_NAMESPACE] ?? "",
    config: undefined,
  };
}

function machineState(state: VmState): MachineState {
  return {
    fingerprint: state.labels[LABEL_FINGERPRINT] ?? "",
    status: state.status === "paused" ? "running" : state.status,
    nics: state.nics,
    config: undefined,
  };
}

/** Whether a name in `/run/netns` still stands for the namespace of a container's process. */
function isNamespaceOf(name: string, container: ContainerState | undefined): boolean {
  if (container?.pid === undefined) return false;
  const id = namespaceId({ pid: container.pid });
  return id !== undefined && id === namespaceId({ name });
}

/**
 * The life that a node is in: of its container's first process, or of its namespace. With the boot, as both numbers
 * begin anew with it.
 */
export function lifeOf(boot: string, namespace: string, container: ContainerState | undefined): string {
  return `${boot}/${container ? `${container.id}/${container.pid ?? 0}` : (namespaceId({ name: namespace }) ?? 0)}`;
}

/** The devices of spies: those in the switch's namespace whose alias has this yard's mark and says so. */
function sinks(world: World, views: ReadonlyMap<string, NamespaceView>): Map<string, SinkState> {
  const found = new Map<string, SinkState>();
  const near = views.get(world.namespace === "self" ? "self" : world.paths.namespace);
  for (const { name, alias, up } of near?.links.values() ?? []) {
    const text = parseAlias(world.paths.yard, alias);
    if (text?.startsWith(SPY_END)) found.set(name, { up, purpose: text.slice(SPY_END.length) });
  }
  return found;
}

/** How the alias of a spy's device begins; its purpose follows. */
export const SPY_END = "spy ";

/** The links in the switch's namespace. */
function nearLinks(world: World, views: ReadonlyMap<string, NamespaceView>): Iterable<Link> {
  return views.get(world.namespace === "self" ? "self" : world.paths.namespace)?.links.values() ?? [];
}

/**
 * The rules that are ours, by the device that they are about, or the name of the table where they do not say. Where the tables cannot be read there is none: a
 * network that needs one will say why, and no other is kept from being made.
 */
async function natStates(yard: string): Promise<Map<string, NatState>> {
  const states = new Map<string, NatState>();
  const tables = await listMasquerades(natTablePrefix(yard)).catch((): ReadonlyMap<string, Masquerade> => new Map());
  const hidden = [...tables.values()].flatMap(({ subnets }) => subnets);
  const passes = hidden.some((subnet) => subnet.includes(":"))
    ? await forwarding6().catch(() => () => false)
    : () => false;
  for (const [table, found] of tables) {
    if (!isNatTable(table)) continue;
    const whole = found.device !== "" && natTable(found.device) === table;
    const device = whole ? found.device : table;
    const name = linkSysctl(4, device, "forwarding");
    const subnets = whole ? found.subnets : [];
    const forwarding =
      readSysctls("self", [name])[name] === "1" && (!subnets.some((it) => it.includes(":")) || passes(device));
    const apart = whole && found.group === APART;
    states.set(device, { subnets, forwarding, apart, purpose: "" });
  }
  return states;
}

function nearByName(world: World, views: ReadonlyMap<string, NamespaceView>): Map<string, Link> {
  return new Map([...nearLinks(world, views)].map((link) => [link.name, link]));
}

/** The namespaces of other yards, to which links of ours lead. */
function otherYards(desired: State, prefix: string): Set<string> {
  const others = [...desired.veths.values()].map(({ namespace }) => namespace);
  return new Set(others.filter((name) => name !== HOST && name !== ELSEWHERE && !name.startsWith(prefix)));
}

function services(world: World, desired: State): Map<string, ServiceState> {
  const found = new Map<string, ServiceState>();
  for (const [id, { argv, pid }] of world.services.running()) {
    const name = desired.services.get(id)?.namespace;
    const there = name === undefined || namespaceId({ name }) === namespaceId({ pid });
    found.set(id, { argv, running: true, namespace: there ? name : "", purpose: "" });
  }
  for (const [id, wanted] of desired.services) if (!found.has(id)) found.set(id, { ...wanted, running: false });
  return found;
}

function membershipsTold(
  told: ReadonlyMap<string, ReadonlyMap<string, Membership>>,
  desired: State,
): Map<string, Membership> {
  return new Map(
    [...desired.memberships].flatMap(([key, { home, nwid }]) => {
      const one = told.get(home)?.get(nwid);
      return one === undefined ? [] : [[key, one]];
    }),
  );
}

/** Of the homes that are wanted. */
function membershipStates(
  told: ReadonlyMap<string, ReadonlyMap<string, Membership>>,
  desired: State,
): Map<string, MembershipState> {
  const found = new Map<string, MembershipState>();
  for (const [key, state] of desired.memberships) {
    const node = key.split(" ")[0] ?? "";
    for (const nwid of told.get(state.home)?.keys() ?? [])
      found.set(membershipKey({ name: node }, nwid), { ...state, nwid, purpose: "" });
  }
  return found;
}

function execStates(
  desired: State,
  marks: ExecMarks,
  boot: string,
  containers: ReadonlyMap<string, { readonly state: ContainerState }>,
): Map<string, ExecState> {
  const found = new Map<string, ExecState>();
  for (const [node, { namespace }] of desired.exec) {
    const mark = marks.get(node);
    if (mark && mark.life === lifeOf(boot, namespace, containers.get(node)?.state))
      found.set(node, { hash: mark.hash, failed: mark.failed, commands: [], env: {}, namespace });
  }
  return found;
}
