/** Names of what a yard makes on its host beside bridges and ports, which are named by the vswitch room. */
import { parseMac } from "@switchyard/base";
import type { NamespaceRef } from "@switchyard/linux";
import { bridgeName, portName } from "@switchyard/vswitch";
import { bridgeOf } from "../model/making.ts";
import type { NetworkMaking } from "../model/types.ts";
import { digest } from "../store/canonical.ts";
import type { NodeEntry } from "../store/rows.ts";
import { COMMON_SUFFIX, DHCP_SUFFIX, DNSMASQ_SUFFIX, OWN_PREFIX, SYSTEM_YARD, yardNamespace } from "./paths.ts";
import { ELSEWHERE, HOST } from "./state.ts";

/** The name in `/run/netns` of a node's namespace: `yard_<yard>_<node>`. No yard's name holds an underscore. */
export function nodeNamespace(yard: string, node: string): string {
  return `${yardNamespace(yard)}_${node}`;
}

/** The namespace of a yard's switch and of its ports; undefined: the host's own. */
export function switchNamespace(yard: string): string | undefined {
  return yard === SYSTEM_YARD ? undefined : yardNamespace(yard);
}

/** The name of a node's container at its engine, or of its virtual machine. */
export function containerName(yard: string, node: string): string {
  return `${yard}_${node}`;
}

/** The bridge of a network. */
export function networkBridge(network: NetworkMaking & { readonly name: string }): string {
  return bridgeOf(network) ?? bridgeName(network.name);
}

/** The port of a network's gateway: `_g_<network>`, or a hash where that is longer than an interface's name may be. */
export function gatewayPort(network: string): string {
  return network.length <= 12 ? `_g_${network}` : `_g_~${digest(network, 11)}`;
}

/** The far end of a gateway's veth, which lies in the host's own namespace among the links of everyone else. */
export function gatewayDevice(yard: string, network: string): string {
  return `y${digest(`${yard}/${network}`, 12)}`;
}

/** The end on the host of a nic that is on a bridge of the kernel's own. */
export function nicDevice(yard: string, link: string): string {
  return `yn${digest(`${yard}/${link}`, 12)}`;
}

/** The port of a node's nic, by its index. */
export function nicPort({ objId, spec }: Pick<NodeEntry, "objId" | "spec">, index: number): string {
  return (spec.kind === "guest" ? spec.plugs[index] : undefined) ?? portName(objId, index);
}

/** What the far end of a guest's nic is called on the host, until the engine has taken it into its container. */
export function guestDevice(yard: string, port: string): string {
  return `yk${digest(`${yard}/${port}`, 12)}`;
}

/**
 * The WireGuard device of a node of kind c2c; wg(8) knows devices of all namespaces by their names.
 *
 * @param to where it leads, as a text: with that it is another device
 */
export function tunnelDevice(yard: string, node: string, to: string): string {
  return `wg${digest(`${yard}/${node} ${to}`, 12)}`;
}

/** The folder of what the dnsmasq on a link follows: `dhcp` and `names` are in it. */
export function dnsmasqFolder(run: string, device: string): string {
  return `${run}${DNSMASQ_SUFFIX}/${device}`;
}

/** The home of a node's zerotier-one. */
export function zerotierHome(state: string, node: string): string {
  return `${state}/zerotier/${node}`;
}

/** The folder of what DHCP clients run at events. */
export function dhcpFolder(run: string): string {
  return `${run}${DHCP_SUFFIX}`;
}

/** Where DHCP clients leave their leases. */
export function leasesFolder(run: string): string {
  return `${dhcpFolder(run)}/leases`;
}

/** The MAC of a bridge that asks for none: the same each time, whoever its members are. */
export function bridgeMac(yard: string, bridge: string): string {
  return gatewayMac(yard, `bridge ${bridge}`);
}

/** Whether it could be the name of a {@link gatewayDevice}. */
export function isGatewayDevice(name: string): boolean {
  return /^y[0-9a-f]{12}$/.test(name);
}

/** The table in nftables of a link, less its prefix: a gateway's name as it is, a bridge's as a hash, as it may hold anything. */
export function natTable(device: string): string {
  return isNatTable(device) ? device : `b${digest(device, 12)}`;
}

/** Whether it could come from {@link natTable}. */
export function isNatTable(name: string): boolean {
  return /^[by][0-9a-f]{12}$/.test(name);
}

/** The group of the links between which the host routes nothing: the bridges that yards have made. */
export const APART = 22_871;

/** How the tables in nftables of a yard begin; {@link natTable} follows. No yard has an underscore. */
export function natTablePrefix(yard: string): string {
  return `${OWN_PREFIX}${yard.replaceAll("-", "_")}_`;
}

/** The table in nftables of the ports that a client of zero-os had opened on a yard's host. */
export function openPortsTable(yard: string): string {
  return `${natTablePrefix(yard)}ports`;
}

/** A gateway's MAC: the same each time, so that neighbours' ARP entries stay true. */
export function gatewayMac(yard: string, network: string): string {
  const hash = digest(`${yard}/${network}`, 10);
  return parseMac(`02:${hash.match(/../g)?.join(":")}`);
}

/**
 * The folder of the files that all nodes of a lab have in common, or all that belong to none. For a bare namespace it
 * may stand where `ip netns exec` looks, so nothing else is in it.
 */
export function commonFolder(run: string, lab: string | undefined): string {
  return lab === undefined ? `${run}${COMMON_SUFFIX}/yard` : `${run}${COMMON_SUFFIX}/lab-${lab}`;
}

/** The hosts file of a lab, or of the nodes that belong to none. */
export function hostsFile(run: string, lab: string | undefined): string {
  return `${commonFolder(run, lab)}/hosts`;
}

/** The resolv.conf that a node's container binds. */
export function resolverFile(run: string, node: string): string {
  return `${run}/files/resolv-${node}`;
}

/** What the relay of impairments follows, in a folder of its own. */
export function pipesFile(run: string): string {
  return `${run}/impair/pipes.json`;
}

/** What the relay is to forward. It has a folder of its own, as the relay leaves its report beside it. */
export function relayFile(run: string): string {
  return `${run}/relay/forwards.json`;
}

/** How the kernel finds the namespace that a state names. */
export function namespaceRef(name: string): NamespaceRef {
  return name === HOST || name === ELSEWHERE ? "self" : { name };
}
