/** What a host shall be like, by what the store says. Pure. */

import { PLAIN_PORT } from "@switchyard/vswitch";
import { isJoint } from "../model/joints.ts";
import type { NetworkEntry, NicEntry, NodeEntry, Rows } from "../store/rows.ts";
import { ownsNamespace } from "./action.ts";
import { addBridge, bridgeDnsmasq, ownBridges } from "./desire-bridges.ts";
import { containerState, execState, networkSysctls } from "./desire-container.ts";
import { dhcpClients, dhcpFiles, withLeases } from "./desire-dhcp.ts";
import { dnsmasq } from "./desire-dnsmasq.ts";
import { labFiles, nodeFiles } from "./desire-files.ts";
import { guestEnd, keepers } from "./desire-guest.ts";
import { addJoint, type JointNic, throughTunnels } from "./desire-joints.ts";
import { linkMaking, linkState } from "./desire-links.ts";
import { machineState, type Plugged, tapState } from "./desire-machine.ts";
import { withResolvers } from "./desire-nat.ts";
import { natDnsmasq, natNodes } from "./desire-nat-node.ts";
import { addNetwork } from "./desire-network.ts";
import { addWires, PIPES, Pipes } from "./desire-pipes.ts";
import { isPlain, KnownNodes, type NodeStates, noStates } from "./desire-plain.ts";
import { relay } from "./desire-relay.ts";
import { nodeRoutes } from "./desire-routes.ts";
import { desireSpies } from "./desire-spy.ts";
import { addAway, isAway } from "./desire-stopped.ts";
import { tunnels } from "./desire-tunnel.ts";
import { keepUnderlayMacs } from "./desire-vxlan.ts";
import { zerotier } from "./desire-zerotier.ts";
import type { HostFacts } from "./host-facts.ts";
import { gatewayDevice, networkBridge, nicPort, nodeNamespace } from "./names.ts";
import { networkMtu, networkOffloads } from "./network-path.ts";
import type {
  BridgeState,
  FileState,
  HostBridgeState,
  LinkState,
  MemberState,
  NamespaceState,
  NatState,
  PipeState,
  PortState,
  ServiceState,
  State,
  UnderlayState,
  VethState,
  VtepState,
} from "./state.ts";
import { purposeOf } from "./subject.ts";

/**
 * The state of a host on which all is as the rows say.
 *
 * @param known keeps what is desired for nodes from one call to the next
 */
export function desire(declaredRows: Rows, hostFacts: HostFacts, known = new KnownNodes()): State {
  const { rows, facts } = throughTunnels(declaredRows, hostFacts);
  const networks = new Map(rows.networks.map((network) => [network.name, network]));
  const own = rows.nodes.filter((node) => node.host === facts.host);
  /** With the addresses that networks keep for nics, and with those that nics have. */
  const declared = withResolvers(own, networks);
  const all = withLeases(declared, facts.leases);
  const nodes = all.filter((node) => !isAway(node));
  const impairedLinks = new Set(rows.links.flatMap(({ name, impair }) => (impair === undefined ? [] : [name])));
  const linkMtu = new Map(rows.links.map((link) => [link.name, link.mtu]));

  const bridges = new Map<string, BridgeState>();
  const ports = new Map<string, PortState>();
  const veths = new Map<string, VethState>();
  const links = new Map<string, LinkState>();
  const nats = new Map<string, NatState>();
  const vteps = new Map<string, VtepState>();
  const underlays = new Map<string, UnderlayState>();
  for (const network of rows.networks)
    if (network.type !== "zerotier" && linkMaking(network, rows.bridges, facts) === undefined)
      addNetwork(network, networks, facts, { bridges, ports, veths, nats, vteps, underlays });
  keepUnderlayMacs(facts.yard, { bridges, underlays });
  const hostBridges = new Map<string, HostBridgeState>();
  const members = new Map<string, MemberState>();
  const made = ownBridges(rows, facts);
  for (const bridge of made) addBridge(bridge, facts, { hostBridges, members, nats });
  const pipes = new Map<string, PipeState>();
  const impaired = new Pipes(facts, { bridges, ports, pipes });
  const mtuOf = (nic: NicEntry) => {
    const network = nic.network === undefined ? undefined : networks.get(nic.network);
    const inherited = network === undefined ? linkMtu.get(nic.link ?? "") : undefined;
    return nic.mtu ?? inherited ?? networkMtu(network, networks);
  };
  known.hangOn([
    ...[facts.yard, facts.host, facts.run, facts.datapath, facts.offloads, facts.netem],
    ...[facts.tunnels, facts.kernelBridges].map((names) => [...names].toSorted().join(" ")),
    ...[rows.networks.length, ...rows.networks, ...rows.bridges],
  ]);
  const others = nodes.filter((node) => !known.has(node) && !isPlain(node, networks));
  const wires = addWires(others, rows.links, mtuOf, impaired, { bridges, ports, pipes }, facts);

  const ways = natNodes(rows, facts);
  const files = new Map<string, FileState>(labFiles(all, facts));
  const states: NodeStates = { ...noStates(), ports, veths, links, files };
  const addNode = (node: NodeEntry, into: NodeStates) => {
    if (isJoint(node.spec)) {
      const joined = node.nics.map((nic): JointNic => {
        const network = nic.network === undefined ? undefined : networks.get(nic.network);
        const bridge = network === undefined ? wires.get(nic) : networkBridge(network);
        const barred = bridge === undefined || linkMaking(network, rows.bridges, facts) !== undefined;
        const port = barred ? undefined : portState(node, nic, bridge);
        return { nic, mtu: mtuOf(nic), offloads: networkOffloads(network, networks, facts), port };
      });
      addJoint(node, node.spec, joined, rows, facts, impaired, ways, { ...into, nats, vteps });
      return;
    }
    const namespace = nodeNamespace(facts.yard, node.name);
    const { kind } = node.spec;
    if (kind !== "guest" && kind !== "vm") into.namespaces.set(namespace, namespaceState(node, networks, facts));
    const plugged: Plugged[] = [];
    for (const nic of node.nics) {
      const near = nicPort(node, nic.index);
      const network = nic.network === undefined ? undefined : networks.get(nic.network);
      // Its process makes it.
      if (network?.type === "zerotier") continue;
      const making = linkMaking(network, rows.bridges, facts);
      if (making !== undefined && (kind === "netns" || kind === "container")) {
        into.links.set(near, linkState(node, nic, network, making, facts));
        continue;
      }
      const mtu = mtuOf(nic);
      // netem would take what is unfinished, tens of kilobytes, for one frame.
      const whole = facts.netem && (nic.impair !== undefined || impairedLinks.has(nic.link ?? ""));
      const offloads = !whole && networkOffloads(network, networks, facts);
      const foreign = node.spec.kind === "guest" && node.spec.plugs.length > 0;
      if (foreign && !facts.foreign.has(near)) continue;
      const far = kind === "guest" ? guestEnd(facts.yard, near) : {};
      if (kind === "vm") {
        const [tap, state] = tapState(
          node,
          nic,
          making,
          making === undefined ? mtu : (nic.mtu ?? network?.mtu ?? 0),
          facts,
        );
        into.taps.set(tap, state);
        plugged.push({ nic, tap, place: state.place, mtu: state.mtu, offloads });
      } else if (!foreign) into.veths.set(near, { ...vethState(node, nic, facts), ...far, mtu, offloads });
      // One that is attached to nothing is there all the same, unplugged.
      const bridge = network === undefined ? wires.get(nic) : networkBridge(network);
      if (bridge === undefined || making !== undefined) continue;
      const number = facts.foreign.get(near);
      const port: PortState = {
        ...portState(node, nic, bridge),
        ...(foreign ? { foreign } : {}),
        ...(number === undefined ? {} : { number }),
      };
      into.ports.set(near, nic.impair && network ? impaired.addNic(node, nic, port, mtu, nic.impair) : port);
    }
    if (node.spec.kind === "container") into.containers.set(node.name, containerState(node, node.spec, facts));
    if (node.spec.kind === "vm") into.machines.set(node.name, machineState(node, node.spec, plugged, networks, facts));
    if (node.spec.exec.length > 0) into.exec.set(node.name, execState(node, namespace));
    for (const [path, file] of nodeFiles(node, facts)) into.files.set(path, file);
  };
  for (const node of all) if (isAway(node)) addAway(node, facts, states);
  const special = new Set(others);
  for (const node of nodes) {
    if (special.has(node)) addNode(node, states);
    else known.add(node, states, (into) => addNode(node, into));
  }
  const services = new Map<string, ServiceState>([...dhcpClients(others, facts), ...keepers(others, facts)]);
  for (const [id, service] of tunnels(rows.nodes, facts)) services.set(id, service);
  for (const [path, file] of dhcpFiles(services, facts)) files.set(path, file);
  const joined = zerotier(others, networks, facts);
  for (const [id, service] of joined.services) services.set(id, service);
  for (const [path, file] of joined.files) files.set(path, file);
  const awake = (ways.size > 0 ? nodes : others).filter(({ stopped }) => stopped === undefined);
  const forwarding = relay(awake, networks, ways, facts);
  const spies = desireSpies(facts.captured.size > 0 ? nodes : others, ports, facts.captured);
  if (forwarding) {
    services.set("relay", forwarding.service);
    files.set(forwarding.path, forwarding.file);
  }
  const relayed = impaired.service();
  if (relayed) {
    services.set(PIPES, relayed.service);
    files.set(relayed.path, relayed.file);
  }
  const hidden = rows.networks.filter(({ name }) => nats.has(gatewayDevice(facts.yard, name)));
  const served = [
    ...hidden.map((network) => dnsmasq(network, declared, facts)),
    ...[...ways.values()].flatMap((way) => natDnsmasq(way, declared, facts) ?? []),
    ...made.flatMap((bridge) => bridgeDnsmasq(bridge, rows.networks, declared, facts) ?? []),
  ];
  for (const { id, service, files: followed } of served) {
    services.set(id, service);
    for (const [path, file] of followed) files.set(path, file);
  }
  return {
    ...states,
    ...{ bridges, ...spies, pipes, services, memberships: joined.memberships },
    ...{ nats, vteps, underlays, hostBridges, members },
  };
}

function portState(node: NodeEntry, nic: NicEntry, bridge: string): PortState {
  const { vlan, trunks } = nic;
  const mode = trunks.length === 0 ? undefined : vlan === undefined ? "trunk" : "native-untagged";
  const purpose = purposeOf({ kind: "nic", node: node.name, nic: nic.name });
  return { ...PLAIN_PORT, bridge, tag: vlan, trunks, vlanMode: mode, purpose };
}

function vethState(node: NodeEntry, nic: NicEntry, facts: HostFacts): Omit<VethState, "mtu" | "offloads"> {
  return {
    namespace: nodeNamespace(facts.yard, node.name),
    name: nic.name,
    mac: nic.mac,
    up: true,
    addresses: nic.addresses.toSorted(),
    purpose: purposeOf({ kind: "nic", node: node.name, nic: nic.name }),
  };
}

function namespaceState(
  node: NodeEntry,
  networks: ReadonlyMap<string, NetworkEntry>,
  facts: HostFacts,
): NamespaceState {
  const { spec } = node;
  const own = spec.kind === "container" && ownsNamespace(spec);
  return {
    node: node.name,
    routes: nodeRoutes(node, networks, facts.leases),
    sysctls: spec.kind === "container" ? networkSysctls(spec.sysctls) : spec.sysctls,
    container: own ? node.name : undefined,
  };
}
