/** What a network of type nat needs beside its bridge and gateway, and what may stand in the way of gateways. */
import { type Cidr, family, overlaps, YardError } from "@switchyard/base";
import { linkSysctl } from "@switchyard/linux";
import type { NetworkEntry, Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import { linkMaking } from "./desire-links.ts";
import type { HostAddress, HostFacts } from "./host-facts.ts";
import { gatewayDevice, isGatewayDevice } from "./names.ts";
import type { NatState } from "./state.ts";
import { purposeOf, type Subject, subjectText } from "./subject.ts";

/** What the host is on: a network, or a node of kind nat. */
export type Served = Pick<NetworkEntry, "name" | "type" | "cidr" | "gateway">;

/**
 * What of the host is in the way of a network that it shall be on, as its subnet would take that one's traffic: an
 * address of the host, or another network of the yard. A nat gives way to others, of two alike the one whose name comes
 * later; another yard's that came after it leaves a network in its place, or both would give way for ever.
 */
export function obstacle(
  network: Served,
  networks: Iterable<Served>,
  facts: HostFacts,
): Pick<HostAddress, "device" | "address"> | undefined {
  if (network.gateway.length === 0) return undefined;
  const meets = (other: Cidr) => network.cidr.some((cidr) => overlaps(cidr, other));
  for (const other of networks) {
    if (other === network || other.gateway.length === 0) continue;
    const address = other.cidr.find(meets);
    if (address !== undefined && precedes(other, network))
      return { device: gatewayDevice(facts.yard, other.name), address };
  }
  const device = gatewayDevice(facts.yard, network.name);
  const inPlace = facts.addresses.some((it) => it.device === device && meets(it.address));
  const strange = facts.addresses.filter((it) => !it.ours && meets(it.address));
  return strange.find((it) => !inPlace || !isGatewayDevice(it.device));
}

function precedes(a: Served, b: Served): boolean {
  return (a.type === "nat") === (b.type === "nat") ? a.name < b.name : b.type === "nat";
}

/** The source NAT of a network, by the device of its gateway. */
export function natState(network: NetworkEntry): NatState {
  return {
    subnets: network.cidr.toSorted(),
    forwarding: true,
    apart: false,
    purpose: purposeOf({ kind: "network", network: network.name }),
  };
}

/** Gives the nics on nat networks that name no server the one on the gateway. */
export function withResolvers(nodes: Rows["nodes"], networks: ReadonlyMap<string, NetworkEntry>): Rows["nodes"] {
  if (![...networks.values()].some(({ type }) => type === "nat")) return nodes;
  return nodes.map((node) => {
    const nics = node.nics.map((nic) => {
      const network = nic.network === undefined ? undefined : networks.get(nic.network);
      return network?.type !== "nat" || nic.dns.length > 0 ? nic : { ...nic, dns: network.gateway };
    });
    return nics.some((nic, i) => nic !== node.nics[i]) ? { ...node, nics } : node;
  });
}

/** What keeps networks that the host is on from being as declared. */
export function gatewayFailures(rows: Rows, facts: HostFacts): Failure[] {
  return rows.networks.flatMap((network): Failure[] => {
    const subject = { kind: "network", network: network.name } as const;
    // Of a bridge of the kernel's own nothing is made on the host.
    if (linkMaking(network, rows.bridges, facts) !== undefined) return [];
    return servedFailures(subject, network, obstacle(network, rows.networks, facts), facts);
  });
}

/** What keeps the host from being on something. @param other what is in the way */
export function servedFailures(
  subject: Subject,
  { type, cidr: subnets }: Served,
  other: ReturnType<typeof obstacle>,
  facts: HostFacts,
): Failure[] {
  if (other !== undefined) {
    const message = `${subnets.find((cidr) => overlaps(cidr, other.address))} of ${subjectText(subject)} overlaps ${other.address}, which the host has on ${other.device}`;
    const hint = "give it another cidr; it is not on the host until then";
    return [{ subject, error: new YardError("network.overlaps-host", message, { hint }) }];
  }
  // What forwards IPv6 is switched on with it.
  return type === "nat" && subnets.some((cidr) => family(cidr) === 4) ? notForwarding(subject, facts) : [];
}

/** What keeps source NAT for a network or a bridge from being of use. */
export function notForwarding(subject: Subject, facts: HostFacts): Failure[] {
  const closed = facts.uplinks.find(({ forwarding }) => !forwarding);
  if (closed === undefined) return [];
  const message = `the host does not pass on what comes in by ${closed.device}, so no answer comes back to ${subjectText(subject)}`;
  const hint = `allow it: sysctl -w ${linkSysctl(4, closed.device, "forwarding")}=1`;
  return [{ subject, error: new YardError("network.not-forwarding", message, { hint }) }];
}
