/** By way of which others a network reaches its hosts, and what that leaves to its packets. */
import { family } from "@switchyard/base";
import { VXLAN_OVERHEAD } from "@switchyard/vswitch";
import type { NetworkEntry } from "../store/rows.ts";
import type { HostFacts } from "./host-facts.ts";
import { networkBridge } from "./names.ts";

export type Networks = ReadonlyMap<string, NetworkEntry>;

/** Ethernet's, and the kernel's for a new link; bytes. */
const DEFAULT_MTU = 1500;

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
