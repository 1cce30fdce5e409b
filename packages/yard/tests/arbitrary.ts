/** Arbitrary states of a host for property tests: small worlds, in which names meet often. */
import { parseMac } from "@switchyard/base";
import type { VmNic } from "@switchyard/runtime";
import { PLAIN_PORT } from "@switchyard/vswitch";
import fc from "fast-check";
import { sameMaking } from "../src/agent/compare.ts";
import {
  type BridgeState,
  type ContainerNodeState,
  ELSEWHERE,
  type ExecState,
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
import { damage } from "./arbitrary-damage.ts";
import { LANS, NODES, type Seed, seed } from "./arbitrary-seed.ts";
import { SWITCH } from "./host-model.ts";

const TAP_PLACES: readonly TapPlace[] = [
  { kind: "port" },
  { kind: "bridged", bridge: "br0" },
  { kind: "macvtap", parent: "nic0" },
];

/** A state that a store can ask for: whole and without contradictions. */
export const desiredState: fc.Arbitrary<State> = seed.map(grow);

/** A state that can be met on a host: once whole, then left by a crash, by engines and by people. */
export const actualState: fc.Arbitrary<State> = fc
  .tuple(seed.map(grow), fc.infiniteStream(fc.nat({ max: 9 })))
  .map(([state, dice]) => damage(state, () => (dice.next().value ?? 0) === 0));

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
    ports.set(port, { ...PLAIN_PORT, bridge: `_b_${lan}`, purpose });
    nats.set(name, { subnets: [subnet], forwarding: true, apart: false, purpose });
  }
  const vteps = new Map<string, VtepState>();
  const underlays = new Map<string, UnderlayState>();
  for (const [lan, id] of Object.entries(from.tunnelled)) {
    if (!from.lans.includes(lan)) continue;
    const [vtep, lower, purpose] = [`vtep${lan}`, `_b_${lan}`, `network ${lan}`];
    vteps.set(vtep, { lower, remote: "", id, port: 8472, mtu: 1450, up: true, purpose });
    underlays.set(lower, { addresses: [`10.6.0.${id}/24`], up: true, purpose });
    ports.set(vtep, { ...PLAIN_PORT, bridge: `_b_${lan}`, purpose });
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
    for (const port of [near, far]) ports.set(port, { ...PLAIN_PORT, bridge: `_b_${lan}`, purpose });
  }
  for (const [lan, making] of Object.entries(from.absorbed)) {
    if (!from.lans.includes(lan) || (making.kind === "passthrough" && !isFree(making, links))) continue;
    const [port, purpose] = [`_k_9_${LANS.indexOf(lan)}`, purposeOf({ kind: "nic", node: "phy", nic: lan })];
    // Of the system yard, whose switch is in the host's own namespace, and of others.
    const namespace = making.kind === "passthrough" && making.parent === "nic5" ? HOST : SWITCH;
    const mac = making.kind === "macvlan" ? "02:00:00:00:00:07" : "";
    links.set(port, { making, namespace, name: port, mac, mtu: 0, up: true, addresses: [], purpose });
    ports.set(port, { ...PLAIN_PORT, bridge: `_b_${lan}`, purpose });
  }
  for (const node of from.nodes) {
    const namespace = `yard_t_${node.name}`;
    const nics = node.nics.filter((nic) => from.lans.includes(nic.lan));
    const guest = node.kind === "guest";
    const plugged: VmNic[] = [];
    const status = node.stopped ? "exited" : "running";
    const away = node.stopped && node.kind !== "vm" && !guest;
    if (node.kind === "vm")
      machines.set(node.name, {
        fingerprint: node.fingerprint,
        status,
        nics: plugged,
        config: undefined,
      });
    else if (node.kind !== "netns" && node.kind !== "guest")
      containers.set(node.name, {
        runtime: node.kind,
        engine: undefined,
        fingerprint: node.fingerprint,
        status,
        namespace,
        config: undefined,
      });
    // What lives in a namespace of ours keeps that.
    if (away && (node.kind === "podman" || node.kind === "oci"))
      namespaces.set(namespace, { node: node.name, container: undefined, routes: [], sysctls: {} });
    if (away) continue;
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
      if (tag === undefined || node.stopped || !namespaces.has(namespace)) continue;
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
