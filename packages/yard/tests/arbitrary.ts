/** Arbitrary states of a host for property tests: small worlds, in which names meet often. */
import { parseMac } from "@switchyard/base";
import type { VmNic } from "@switchyard/runtime";
import fc from "fast-check";
import { ownsNamespace } from "../src/agent/action.ts";
import { sameMaking } from "../src/agent/compare.ts";
import { SWITCH } from "../src/agent/model.ts";
import {
  type BridgeState,
  type ContainerNodeState,
  ELSEWHERE,
  type ExecState,
  type FileState,
  HOST,
  type HostBridgeState,
  type LinkMaking,
  type LinkState,
  type MachineState,
  type MemberState,
  type MembershipState,
  type MirrorState,
  type NamespaceState,
  type NatState,
  type PipeState,
  type PortState,
  type ServiceState,
  type SinkState,
  type State,
  type TapPlace,
  type TapState,
  type UnderlayState,
  type VethState,
  type VtepState,
} from "../src/agent/state.ts";
import { purposeOf } from "../src/agent/subject.ts";

const LANS = ["a", "b", "c"];
const NODES = ["n1", "n2", "n3"];

const TAP_PLACES: readonly TapPlace[] = [
  { kind: "port" },
  { kind: "bridged", bridge: "br0" },
  { kind: "macvtap", parent: "nic0" },
];

interface NicSeed {
  readonly lan: string;
  /** How it comes about where it is no port of the switch. */
  readonly making: LinkMaking | undefined;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly addresses: readonly string[];
  readonly tag: number | undefined;
  readonly spy: boolean;
  readonly routes: readonly string[];
}
interface NodeSeed {
  readonly name: string;
  readonly kind: "netns" | "docker" | "podman" | "oci" | "guest" | "vm";
  readonly fingerprint: string;
  readonly nics: readonly NicSeed[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly exec: string | undefined;
}
interface BridgeSeed {
  readonly name: string;
  readonly mac: string;
  readonly address: string | undefined;
  readonly nat: boolean;
  readonly nics: readonly string[];
}
interface Seed {
  readonly lans: readonly string[];
  /** The lans that are hidden behind the host, by their gateway's subnet. */
  /** The lans that a pipe leads to, with its MTU. */
  readonly tunnelled: Readonly<Record<string, number>>;
  readonly piped: Readonly<Record<string, number>>;
  /** The lans that a NIC of the host's is a port of. */
  readonly absorbed: Readonly<Record<string, LinkMaking>>;
  readonly hidden: Readonly<Record<string, string>>;
  /** Of the kernel's own. */
  readonly bridges: readonly BridgeSeed[];
  readonly datapath: string;
  readonly offloads: boolean;
  readonly nodes: readonly NodeSeed[];
  readonly files: readonly (readonly [string, FileState])[];
  readonly relay: string | undefined;
}

const address = fc.constantFrom("10.0.0.1/24", "10.0.0.2/24", "10.0.1.1/24", "fd01::1/64");
const nicSeed: fc.Arbitrary<NicSeed> = fc.record({
  lan: fc.constantFrom(...LANS),
  making: fc.constantFrom<(LinkMaking | undefined)[]>(
    undefined,
    undefined,
    { kind: "bridged", bridge: "br0" },
    { kind: "bridged", bridge: "br1" },
    { kind: "macvlan", parent: "nic2" },
    { kind: "passthrough", parent: "nic3" },
    { kind: "passthrough", parent: "nic4" },
  ),
  name: fc.constantFrom("eth0", "eth1", "eth2"),
  mac: fc.constantFrom("", "02:00:00:00:00:01", "02:00:00:00:00:02"),
  mtu: fc.constantFrom(1500, 9000),
  addresses: fc.uniqueArray(address, { maxLength: 3 }).map((list) => list.toSorted()),
  tag: fc.constantFrom(undefined, 7),
  spy: fc.boolean(),
  routes: fc.uniqueArray(fc.constantFrom("default4 via 10.0.0.9", "10.9.0.0/16 via 10.0.0.8", "10.8.0.0/16"), {
    maxLength: 2,
  }),
});
const nodeSeed: fc.Arbitrary<NodeSeed> = fc.record({
  name: fc.constantFrom(...NODES),
  kind: fc.constantFrom("netns", "docker", "podman", "oci", "guest", "vm"),
  fingerprint: fc.constantFrom("f1", "f2"),
  nics: fc.uniqueArray(nicSeed, { maxLength: 3, selector: (nic) => nic.name }),
  sysctls: fc.dictionary(fc.constantFrom("net.a", "net.b"), fc.constantFrom("0", "1"), { noNullPrototype: true }),
  exec: fc.constantFrom(undefined, "h1", "h2"),
});
const file: fc.Arbitrary<FileState> = fc.oneof(
  fc.record({
    type: fc.constant("text" as const),
    text: fc.constantFrom("x", "y"),
    bound: fc.boolean(),
    purpose: fc.constant(""),
  }),
  fc.record({ type: fc.constant("symlink" as const), target: fc.constantFrom("/x", "/y"), purpose: fc.constant("") }),
);
const bridgeSeed: fc.Arbitrary<BridgeSeed> = fc.record({
  name: fc.constantFrom("br0", "br1"),
  mac: fc.constantFrom("02:00:00:00:05:01", "02:00:00:00:05:02"),
  address: fc.constantFrom(undefined, "10.5.0.1/24", "10.6.0.1/24"),
  nat: fc.boolean(),
  nics: fc.uniqueArray(fc.constantFrom("nic0", "nic1")),
});
const seed: fc.Arbitrary<Seed> = fc.record({
  bridges: fc.uniqueArray(bridgeSeed, { selector: (bridge) => bridge.name }),
  lans: fc.uniqueArray(fc.constantFrom(...LANS)),
  hidden: fc.dictionary(fc.constantFrom(...LANS), fc.constantFrom("10.0.0.0/24", "10.0.0.0/16"), {
    noNullPrototype: true,
  }),
  tunnelled: fc.dictionary(fc.constantFrom(...LANS), fc.constantFrom(7, 8), { noNullPrototype: true }),
  piped: fc.dictionary(fc.constantFrom(...LANS), fc.constantFrom(1500, 9000), { noNullPrototype: true }),
  absorbed: fc.dictionary(
    fc.constantFrom(...LANS),
    fc.constantFrom<LinkMaking[]>(
      { kind: "macvlan", parent: "nic2" },
      { kind: "passthrough", parent: "nic3" },
      { kind: "passthrough", parent: "nic5" },
    ),
    { noNullPrototype: true },
  ),
  datapath: fc.constantFrom("netdev", "system"),
  offloads: fc.boolean(),
  nodes: fc.uniqueArray(nodeSeed, { selector: (node) => node.name }),
  files: fc.uniqueArray(fc.tuple(fc.constantFrom("/p", "/q"), file), { selector: ([path]) => path }),
  relay: fc.constantFrom(undefined, "r1", "r2"),
});

/** A state that a store can ask for: whole and without contradictions. */
export const desiredState: fc.Arbitrary<State> = seed.map(grow);

/** A state that can be met on a host: once whole, then left by a crash, by engines and by people. */
export const actualState: fc.Arbitrary<State> = fc
  .tuple(seed.map(grow), fc.infiniteStream(fc.nat({ max: 9 })))
  .map(([state, dice]) => damage(state, () => (dice.next().value ?? 0) === 0));

const PLAIN = {
  type: "",
  tag: undefined,
  trunks: [],
  vlanMode: undefined,
  protected: false,
  keepsQueue: false,
  options: {},
};

function grow(from: Seed): State {
  const bridges = new Map<string, BridgeState>();
  const ports = new Map<string, PortState>();
  const mirrors = new Map<string, MirrorState>();
  const sinks = new Map<string, SinkState>();
  const namespaces = new Map<string, NamespaceState>();
  const veths = new Map<string, VethState>();
  const links = new Map<string, LinkState>();
  const containers = new Map<string, ContainerNodeState>();
  const taps = new Map<string, TapState>();
  const machines = new Map<string, MachineState>();
  const exec = new Map<string, ExecState>();
  for (const lan of from.lans)
    bridges.set(`_b_${lan}`, { datapath: from.datapath, otherConfig: {}, hub: false, purpose: `network ${lan}` });
  const nats = new Map<string, NatState>();
  for (const [lan, subnet] of Object.entries(from.hidden)) {
    if (!from.lans.includes(lan)) continue;
    const [port, name, purpose] = [`_g_${lan}`, `y${lan}`, `network ${lan}`];
    const { offloads } = from;
    const link = { namespace: HOST, name, mac: "", mtu: 1500, up: true, offloads, addresses: ["10.0.0.9/24"], purpose };
    veths.set(port, link);
    ports.set(port, { ...PLAIN, bridge: `_b_${lan}`, purpose });
    nats.set(name, { subnets: [subnet], forwarding: true, apart: false, purpose });
  }
  const vteps = new Map<string, VtepState>();
  const underlays = new Map<string, UnderlayState>();
  for (const [lan, id] of Object.entries(from.tunnelled)) {
    if (!from.lans.includes(lan)) continue;
    const [vtep, lower, purpose] = [`vtep${lan}`, `_b_${lan}`, `network ${lan}`];
    vteps.set(vtep, { lower, remote: "", id, port: 8472, mtu: 1450, up: true, purpose });
    underlays.set(lower, { addresses: [`10.6.0.${id}/24`], up: true, purpose });
    ports.set(vtep, { ...PLAIN, bridge: `_b_${lan}`, purpose });
  }
  const hostBridges = new Map<string, HostBridgeState>();
  const members = new Map<string, MemberState>();
  for (const bridge of from.bridges) {
    const { name, mac, address, nat, nics } = bridge;
    const purpose = purposeOf({ kind: "bridge", bridge: name });
    hostBridges.set(name, { mac, up: true, group: 7, addresses: address === undefined ? [] : [address], purpose });
    nats.set(name, { subnets: nat ? ["10.5.0.0/24"] : [], forwarding: nat, apart: true, purpose });
    for (const nic of nics) if (!members.has(nic)) members.set(nic, { bridge: name, purpose });
  }
  const pipes = new Map<string, PipeState>();
  for (const [lan, mtu] of Object.entries(from.piped)) {
    if (!from.lans.includes(lan)) continue;
    const [near, far, purpose] = [`_x_${lan}`, `_y_${lan}`, `network ${lan}`];
    const by = mtu === 9000 ? "netem" : "relay";
    pipes.set(near, { far, by, mtu, up: true, forward: by === "netem" ? "delay 10ms" : "", backward: "", purpose });
    for (const port of [near, far]) ports.set(port, { ...PLAIN, bridge: `_b_${lan}`, purpose });
  }
  for (const [lan, making] of Object.entries(from.absorbed)) {
    if (!from.lans.includes(lan) || (making.kind === "passthrough" && !isFree(making, links))) continue;
    const [port, purpose] = [`_k_9_${LANS.indexOf(lan)}`, purposeOf({ kind: "nic", node: "phy", nic: lan })];
    // Of the system yard, whose switch is in the host's own namespace, and of others.
    const namespace = making.kind === "passthrough" && making.parent === "nic5" ? HOST : SWITCH;
    const mac = making.kind === "macvlan" ? "02:00:00:00:00:07" : "";
    links.set(port, { making, namespace, name: port, mac, mtu: 0, up: true, addresses: [], purpose });
    ports.set(port, { ...PLAIN, bridge: `_b_${lan}`, purpose });
  }
  for (const node of from.nodes) {
    const namespace = `yard_t_${node.name}`;
    const nics = node.nics.filter((nic) => from.lans.includes(nic.lan));
    const guest = node.kind === "guest";
    const plugged: VmNic[] = [];
    if (node.kind === "vm")
      machines.set(node.name, {
        fingerprint: node.fingerprint,
        status: "running",
        nics: plugged,
        config: undefined,
      });
    else if (node.kind !== "netns" && node.kind !== "guest")
      containers.set(node.name, {
        runtime: node.kind,
        engine: undefined,
        fingerprint: node.fingerprint,
        status: "running",
        namespace,
        config: undefined,
      });
    if (!guest && node.kind !== "vm")
      namespaces.set(namespace, {
        node: node.name,
        container: node.kind === "docker" ? node.name : undefined,
        routes: nics.flatMap((nic) => nic.routes.map((route) => `${route} dev ${nic.name}`)).toSorted(),
        sysctls: node.sysctls,
      });
    for (const [n, nic] of nics.entries()) {
      const port = `_k_${NODES.indexOf(node.name) + 1}_${n}`;
      const purpose = purposeOf({ kind: "nic", node: node.name, nic: nic.name });
      const { mac, mtu } = nic;
      const [where, name] = guest ? [ELSEWHERE, `yk${port}`] : [namespace, nic.name];
      const addresses = guest ? [] : nic.addresses;
      const { making } = nic;
      if (
        making !== undefined &&
        !guest &&
        node.kind !== "vm" &&
        (making.kind !== "passthrough" || isFree(making, links))
      ) {
        links.set(port, {
          making,
          namespace,
          name: nic.name,
          mac,
          mtu: mtu === 9000 ? 0 : mtu,
          up: true,
          addresses,
          purpose,
        });
        continue;
      }
      if (node.kind === "vm") {
        const place = TAP_PLACES[mac === "" ? 0 : mtu === 1500 ? 1 : 2] ?? { kind: "port" };
        taps.set(port, { place, mac: place.kind === "macvtap" ? mac : "", mtu, up: true, purpose });
        const address = parseMac(mac === "" ? "02:00:00:00:00:09" : mac);
        plugged.push({ index: n, tap: port, mac: address, offloads: from.offloads, mtu });
      } else
        veths.set(port, { namespace: where, name, mac, mtu, up: true, offloads: from.offloads, addresses, purpose });
      // The port of a guest may be another owner's.
      const foreign = guest && nic.mac === "";
      if (foreign) veths.delete(port);
      ports.set(port, {
        ...(foreign ? { foreign } : {}),
        ...(nic.tag === undefined ? {} : { number: nic.tag }),
        bridge: `_b_${nic.lan}`,
        type: "",
        tag: nic.tag,
        trunks: [],
        vlanMode: undefined,
        protected: nic.tag === 7,
        keepsQueue: nic.tag === 7,
        options: {},
        purpose,
      });
      if (!nic.spy) continue;
      const vlan = { tag: nic.tag, trunks: [], vlanMode: undefined };
      mirrors.set(`s${port}`, { bridge: `_b_${nic.lan}`, port, ...vlan, purpose });
      sinks.set(`s${port}`, { up: true, purpose });
    }
    if (node.exec !== undefined && !guest && node.kind !== "vm")
      exec.set(node.name, { hash: node.exec, failed: false, commands: [["true"]], env: {}, namespace });
  }
  const services = new Map<string, ServiceState>();
  if (from.relay !== undefined)
    services.set("relay", { argv: [from.relay], running: true, namespace: undefined, purpose: "yard" });
  for (const [port, { namespace, mac, purpose }] of veths)
    if (namespaces.has(namespace))
      services.set(`dhcp-${port}`, { argv: ["dhcp", mac], running: true, namespace, purpose });
  const memberships = new Map<string, MembershipState>();
  for (const node of from.nodes) {
    const namespace = `yard_t_${node.name}`;
    for (const { name, tag } of node.nics) {
      const purpose = purposeOf({ kind: "nic", node: node.name, nic: name });
      if (tag === undefined || !namespaces.has(namespace)) continue;
      memberships.set(`${node.name} ${name}`, { namespace, home: `/z/${node.name}`, nwid: name, purpose });
    }
  }
  const files = new Map(from.files);
  return {
    ...{
      bridges,
      ports,
      mirrors,
      sinks,
      namespaces,
      veths,
      links,
      pipes,
      vteps,
      underlays,
      containers,
      taps,
      machines,
    },
    ...{ services, memberships, nats, hostBridges, members, files, exec },
  };
}

function isFree(making: LinkMaking, links: ReadonlyMap<string, LinkState>): boolean {
  return ![...links.values()].some((it) => sameMaking(making, it.making));
}

function damage(state: State, unlucky: () => boolean): State {
  const keep = <T>(map: ReadonlyMap<string, T>, change: (value: T) => T) =>
    new Map([...map].filter(() => !unlucky()).map(([key, value]): [string, T] => [key, change(value)]));
  const containers = keep(state.containers, (it): ContainerNodeState => {
    if (!unlucky()) return it;
    return { ...it, status: unlucky() ? "created" : "exited" };
  });
  const namespaces = keep(state.namespaces, (it) => {
    const alive = it.container !== undefined && containers.get(it.container)?.status === "running" && !unlucky();
    return { ...it, container: alive ? it.container : undefined, routes: it.routes.filter(() => !unlucky()) };
  });
  const veths = keep(state.veths, (it) => ({
    ...it,
    namespace: it.namespace === HOST || it.namespace === ELSEWHERE || namespaces.has(it.namespace) ? it.namespace : "",
    up: !unlucky(),
    offloads: unlucky() ? !it.offloads : it.offloads,
    addresses: it.addresses.filter(() => !unlucky()),
    mtu: unlucky() ? 1280 : it.mtu,
  }));
  const links = keep(state.links, (it) => ({
    ...it,
    mac: it.mac || "02:00:00:00:00:0a",
    mtu: unlucky() ? 1280 : it.mtu || 1500,
    up: !unlucky(),
    addresses: it.addresses.filter(() => !unlucky()),
  }));
  for (const [key, it] of links) {
    if (namespaces.has(it.namespace) || it.namespace === HOST) continue;
    // The switch's namespace may have died, too.
    if (it.namespace === SWITCH && !unlucky()) continue;
    if (it.making.kind === "passthrough") links.set(key, { ...it, namespace: HOST, addresses: [] });
    else links.delete(key);
  }
  for (const [name, it] of namespaces) {
    const nics = [...veths.values(), ...links.values()].filter(({ namespace }) => namespace === name);
    const devices = new Set(nics.map((nic) => nic.name));
    namespaces.set(name, { ...it, routes: it.routes.filter((route) => devices.has(route.split(" dev ")[1] ?? "")) });
  }
  const bridges = keep(state.bridges, (it) => ({
    ...it,
    ...(unlucky() ? { datapath: "other" } : {}),
    ...(unlucky() ? { rstp: true as const } : {}),
  }));
  const ports = new Map(
    [...keep(state.ports, (it) => (unlucky() ? { ...it, tag: 99 } : it))].filter(([, port]) =>
      bridges.has(port.bridge),
    ),
  );
  const hostBridges = keep(state.hostBridges, (it) => ({
    ...it,
    up: !unlucky(),
    group: unlucky() ? 0 : it.group,
    addresses: it.addresses.filter(() => !unlucky()),
  }));
  const devices = new Set([
    ...[...veths.values()].filter((veth) => veth.namespace === HOST).map(({ name }) => name),
    ...hostBridges.keys(),
  ]);
  const mirrors = new Map(
    [...keep(state.mirrors, (it) => (unlucky() ? { ...it, bridge: "", port: "" } : it))].map(
      ([name, it]): [string, MirrorState] => [name, ports.has(it.port) ? it : { ...it, bridge: "", port: "" }],
    ),
  );
  const living = (node: string, namespace: string) => {
    const container = containers.get(node);
    const whole = container === undefined || container.status === "running";
    return (
      whole &&
      namespaces.has(namespace) &&
      !(container && ownsNamespace(container) && !namespaces.get(namespace)?.container)
    );
  };
  return {
    bridges,
    ports,
    mirrors,
    sinks: keep(state.sinks, (it) => ({ ...it, up: !unlucky() })),
    namespaces,
    veths,
    vteps: new Map(
      [
        ...keep(state.vteps, (it) => ({
          ...it,
          up: !unlucky(),
          lower: unlucky() ? "" : it.lower,
          remote: unlucky() ? "fd00::9" : it.remote,
        })),
      ].filter(([, it]) => it.lower === "" || bridges.has(it.lower)),
    ),
    underlays: new Map(
      [...keep(state.underlays, (it) => ({ ...it, up: !unlucky() }))].filter(([name]) => bridges.has(name)),
    ),
    pipes: keep(state.pipes, (it) => ({
      ...it,
      far: unlucky() ? "" : it.far,
      mtu: unlucky() ? 0 : it.mtu,
      forward: unlucky() ? "" : it.forward,
      up: !unlucky(),
    })),
    links,
    containers,
    taps: keep(state.taps, (it) => ({ ...it, up: !unlucky(), mtu: unlucky() ? 1280 : it.mtu })),
    machines: keep(
      state.machines,
      (it): MachineState => ({
        ...it,
        nics: it.nics.filter(() => !unlucky()),
        status: unlucky() ? (unlucky() ? "created" : "exited") : it.status,
      }),
    ),
    memberships: keep(state.memberships, (it) => it),
    services: keep(state.services, (it) => ({
      ...it,
      running: !unlucky(),
      namespace: it.namespace === undefined || namespaces.has(it.namespace) ? it.namespace : "",
    })),
    hostBridges,
    members: keep(state.members, (it) => ({
      ...it,
      bridge: hostBridges.has(it.bridge) && !unlucky() ? it.bridge : "",
    })),
    nats: keep(
      new Map(
        [...state.nats].map(([name, it]): [string, NatState] => [name, { ...it, forwarding: devices.has(name) }]),
      ),
      (it) => ({
        ...it,
        subnets: unlucky() ? [] : it.subnets,
        forwarding: it.forwarding && !unlucky(),
        apart: it.apart && !unlucky(),
      }),
    ),
    files: keep(state.files, (it) => it),
    exec: new Map(
      [...keep(state.exec, (it) => ({ ...it, failed: unlucky() }))].filter(([node, it]) => living(node, it.namespace)),
    ),
  };
}
