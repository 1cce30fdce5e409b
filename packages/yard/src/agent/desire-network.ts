/** What a network needs of its host: its bridge, what joins that to others, and the host's own end. */
import { contains, family, prefixOf } from "@switchyard/base";
import { VXLAN_OVERHEAD } from "@switchyard/vswitch";
import type { NetworkEntry } from "../store/rows.ts";
import type { HostFacts } from "./desire.ts";
import { natState, obstacle } from "./desire-nat.ts";
import { addVxlan } from "./desire-vxlan.ts";
import { gatewayDevice, gatewayMac, gatewayPort, networkBridge } from "./names.ts";
import {
  type BridgeState,
  HOST,
  type NatState,
  type PortState,
  type UnderlayState,
  type VethState,
  type VtepState,
} from "./state.ts";
import { purposeOf } from "./subject.ts";

/** Ethernet's, and the kernel's for a new link; bytes. */
const DEFAULT_MTU = 1500;

/** A port of a device of ours that carries every VLAN. */
export const PLAIN_PORT = {
  type: "",
  tag: undefined,
  trunks: [],
  vlanMode: undefined,
  protected: false,
  keepsQueue: false,
  options: {},
};

export type Networks = ReadonlyMap<string, NetworkEntry>;

/** What networks put into a state. */
export interface Switch {
  readonly bridges: Map<string, BridgeState>;
  readonly ports: Map<string, PortState>;
  readonly veths: Map<string, VethState>;
  readonly nats: Map<string, NatState>;
  readonly vteps: Map<string, VtepState>;
  readonly underlays: Map<string, UnderlayState>;
}

/** What a VLAN's tag takes on its way through a tunnel. */
const TAG = 4;

/** The largest packet that a nic on this network may send, where it does not say itself; bytes. */
export function networkMtu(network: NetworkEntry | undefined, networks: Networks): number {
  if (network?.mtu !== undefined) return network.mtu;
  const reached = network && tunnelOf(network, networks);
  if (reached === undefined) return DEFAULT_MTU;
  const { tunnel, tags } = reached;
  const whole = underlayMtu(tunnel, networks) - VXLAN_OVERHEAD[tunnel.peers.some((ip) => family(ip) === 6) ? 6 : 4];
  return Math.min(whole, tunnel.mtu ?? whole) - tags * TAG;
}

/** What the packets of a tunnel may have: the switch's go by a route that is not known, the kernel's by its master. */
function underlayMtu(tunnel: Tunnel, networks: Networks): number {
  const others = new Map([...networks].filter(([, it]) => it !== tunnel));
  return Math.min(DEFAULT_MTU, networkMtu(masterOf(tunnel, others), others));
}

type Tunnel = Extract<NetworkEntry, { type: "vxlan" }>;

interface Reached {
  readonly tunnel: Tunnel;
  /** How many tags a packet bears in the tunnel. */
  readonly tags: number;
}

/** The VXLAN that a network is, or is a VLAN of. */
function tunnelOf(network: NetworkEntry, networks: Networks): Reached | undefined {
  const seen = new Set<NetworkEntry>();
  let tags = 0;
  for (let at: NetworkEntry | undefined = network; at !== undefined && !seen.has(at); at = masterOf(at, networks)) {
    if (at.type === "vxlan") return { tunnel: at, tags };
    if (at.type === "vlan" && at.id > 0) tags++;
    seen.add(at);
  }
  return undefined;
}

/** The network that one is a VLAN of, or a VXLAN goes out by, by that network's name or its bridge's. */
export function masterOf(network: NetworkEntry, networks: Networks): NetworkEntry | undefined {
  const master = network.type === "vlan" || network.type === "vxlan" ? network.master : undefined;
  if (master === undefined) return undefined;
  return networks.get(master) ?? [...networks.values()].find((it) => networkBridge(it) === master);
}

/**
 * Whether nics on a network may leave their packets unfinished: the userspace switch cannot finish what it sends into a
 * tunnel, whatever it does elsewhere.
 */
export function networkOffloads(network: NetworkEntry | undefined, networks: Networks, facts: HostFacts): boolean {
  if (!facts.offloads || facts.datapath !== "netdev" || network === undefined) return facts.offloads;
  if (facts.tunnels.has(networkBridge(network))) return false;
  return tunnelOf(network, networks) === undefined;
}

/** Adds what a network needs. */
export function addNetwork(network: NetworkEntry, networks: Networks, facts: HostFacts, into: Switch): void {
  const purpose = purposeOf({ kind: "network", network: network.name });
  const bridge = networkBridge(network);
  const blocked = obstacle(network, networks.values(), facts) !== undefined;
  if (network.type !== "bridge")
    into.bridges.set(bridge, {
      ...{ datapath: facts.datapath, otherConfig: {}, hub: false, purpose },
      ...(network.type === "lan" && network.rstp ? { rstp: true } : {}),
    });
  switch (network.type) {
    case "bridge":
      if (network.addresses !== undefined)
        into.underlays.set(bridge, { addresses: network.addresses.toSorted(), up: true, purpose });
      break;
    case "lan":
    // These have neither bridge nor port.
    case "macvlan":
    case "passthrough":
    case "zerotier":
      break;
    case "nat":
      if (!blocked && network.gateway.length > 0)
        into.nats.set(gatewayDevice(facts.yard, network.name), natState(network));
      break;
    case "vlan": {
      const master = masterOf(network, networks);
      const near = `vlbr${network.id}p`;
      const far = `vlbr${network.id}in`;
      const patch = { ...PLAIN_PORT, type: "patch", purpose };
      // With tag 0 an access port takes and gives only frames without a tag; one without a tag would carry all VLANs.
      into.ports.set(near, {
        ...patch,
        bridge: master === undefined ? network.master : networkBridge(master),
        tag: network.id,
        options: { peer: far },
      });
      into.ports.set(far, { ...patch, bridge, options: { peer: near } });
      break;
    }
    case "vxlan":
      addVxlan(network, networks, into);
      break;
  }
  if (!blocked) addGateway(network, networks, facts, into);
}

function addGateway(network: NetworkEntry, networks: Networks, facts: HostFacts, into: Switch): void {
  if (network.gateway.length === 0) return;
  const purpose = purposeOf({ kind: "network", network: network.name });
  const port = gatewayPort(network.name);
  into.ports.set(port, { ...PLAIN_PORT, bridge: networkBridge(network), purpose });
  into.veths.set(port, {
    namespace: HOST,
    name: gatewayDevice(facts.yard, network.name),
    mac: gatewayMac(facts.yard, network.name),
    mtu: networkMtu(network, networks),
    up: true,
    offloads: networkOffloads(network, networks, facts),
    addresses: gatewayAddresses(network).toSorted(),
    purpose,
  });
}

/** The gateways with the prefix length of the subnet that they lie in. */
function gatewayAddresses(network: NetworkEntry): string[] {
  return network.gateway.map((ip) => {
    const subnet = network.cidr.find((cidr) => contains(cidr, ip));
    return `${ip}/${subnet === undefined ? (ip.includes(":") ? 128 : 32) : prefixOf(subnet)}`;
  });
}
