/** What nodes of kind nat need: the host's end, with source NAT behind it, and a server of addresses and names on it. */
import {
  addressOf,
  type Cidr,
  contains,
  family,
  type Ip,
  nthHost,
  parseIp,
  prefixOf,
  YardError,
} from "@switchyard/base";
import type { PortForward } from "../model/types.ts";
import type { NodeEntry, Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import { withLeases } from "./desire-dhcp.ts";
import { type Dnsmasq, dnsmasqOn, dynamicRange, type Host } from "./desire-dnsmasq.ts";
import type { JointNic } from "./desire-joints.ts";
import { obstacle, type Served, servedFailures } from "./desire-nat.ts";
import type { HostFacts } from "./host-facts.ts";
import { dnsmasqFolder, gatewayDevice, gatewayMac } from "./names.ts";
import { HOST, type NatState, type VethState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** A node of kind nat of this host, and where the host is by it. */
export interface NatNode {
  readonly node: NodeEntry;
  /** No network has such a name. */
  readonly served: Served;
  /** The host's end. */
  readonly device: string;
  /** What is in the way of it, so that nothing of it is on the host. */
  readonly obstacle: ReturnType<typeof obstacle>;
}

/** Those of this host, by name. */
export function natNodes(rows: Rows, facts: HostFacts): ReadonlyMap<string, NatNode> {
  const all = rows.nodes.flatMap((node) => {
    if (node.host !== facts.host || node.spec.kind !== "nat") return [];
    const { cidr } = node.spec;
    return [{ node, served: servedBy(node.name, cidr) }];
  });
  const others = [...rows.networks, ...all.map(({ served }) => served)];
  return new Map(
    all.map(({ node, served }) => [
      node.name,
      { node, served, device: natDevice(facts.yard, node.name), obstacle: obstacle(served, others, facts) },
    ]),
  );
}

function servedBy(node: string, cidr: readonly Cidr[]): Served {
  return { name: `nat:${node}`, type: "nat", cidr, gateway: cidr.map((one) => addressOf(nthHost(one, 1))) };
}

/** The host's end of a node of kind nat. */
function natDevice(yard: string, node: string): string {
  return gatewayDevice(yard, `nat:${node}`);
}

/** Where its server keeps what it has leased. */
export function natLeasesFile(run: string, yard: string, node: string): string {
  return `${dnsmasqFolder(run, natDevice(yard, node))}/leases`;
}

/** The host's end, and its source NAT. */
export function addNat(
  { node, served, device, obstacle }: NatNode,
  { nic, mtu }: JointNic,
  port: string,
  facts: HostFacts,
  into: { readonly veths: Map<string, VethState>; readonly nats: Map<string, NatState> },
): void {
  if (obstacle !== undefined) return;
  into.veths.set(port, {
    namespace: HOST,
    name: device,
    mac: gatewayMac(facts.yard, served.name),
    mtu,
    up: true,
    // Clients of DHCP that read raw packets throw those away whose checksum is left to the receiver. A guest's nic, which
    // could ask for whole ones, would have to be taken out and put in again when somebody plugs a nat into its lan.
    offloads: false,
    addresses: served.cidr.map((cidr) => `${addressOf(nthHost(cidr, 1))}/${prefixOf(cidr)}`).toSorted(),
    purpose: purposeOf({ kind: "nic", node: node.name, nic: nic.name }),
  });
  const purpose = purposeOf({ kind: "node", node: node.name });
  into.nats.set(device, { subnets: served.cidr.toSorted(), forwarding: true, apart: false, purpose });
}

/** The first address that is leased, by its number in the subnet. */
const FIRST_LEASE = 10;
/** The last one of a subnet of IPv6, which has more than anybody needs. */
const LAST_LEASE = 65_535;

/** dnsmasq(8) on the host's end. It leases to whoever asks, and to nics that have an address in the subnet that one. */
export function natDnsmasq(
  { node, served, device, obstacle }: NatNode,
  nodes: readonly NodeEntry[],
  facts: HostFacts,
): Dnsmasq | undefined {
  if (obstacle !== undefined) return undefined;
  const joined = new Set(node.nics.flatMap(({ network }) => network ?? []));
  const hosts = nodes.flatMap(({ name, nics }) =>
    nics.flatMap(({ network = "", mac, addresses }) =>
      !joined.has(network)
        ? []
        : addresses
            .filter((address) => served.cidr.some((cidr) => contains(cidr, addressOf(address))))
            .map((address): Host => ({ mac, ip: addressOf(address), name })),
    ),
  );
  const ranges = served.cidr.flatMap((cidr) => {
    const last = family(cidr) === 4 ? 2 ** (32 - prefixOf(cidr)) - 2 : LAST_LEASE;
    return dynamicRange({ cidr, start: addressOf(nthHost(cidr, FIRST_LEASE)), end: addressOf(nthHost(cidr, last)) });
  });
  const purpose = purposeOf({ kind: "node", node: node.name });
  const leases = `--dhcp-leasefile=${natLeasesFile(facts.run, facts.yard, node.name)}`;
  return dnsmasqOn({ device, key: device, purpose }, [...ranges, leases], hosts, facts);
}

/** The address that a port of a nat leads to: of two, that of the family in which the host is asked. */
export function natTarget(
  { node, served, obstacle }: NatNode,
  { target = "", address }: PortForward,
  nodes: readonly NodeEntry[],
): Ip | undefined {
  if (obstacle !== undefined) return undefined;
  if (target.includes(":") || /^[\d.]+$/.test(target)) return parseIp(target);
  const joined = new Set(node.nics.flatMap(({ network }) => network ?? []));
  const nics = nodes.find(({ name }) => name === target)?.nics.filter(({ network = "" }) => joined.has(network)) ?? [];
  const found = nics
    .flatMap(({ addresses }) => addresses.map(addressOf))
    .filter((ip) => served.cidr.some((cidr) => contains(cidr, ip)));
  return found.find((ip) => address !== undefined && family(ip) === family(address)) ?? found[0];
}

/** What keeps them from being as declared. */
export function natFailures(rows: Rows, facts: HostFacts): Failure[] {
  const nodes = withLeases(rows.nodes, facts.leases);
  return [...natNodes(rows, facts).values()].flatMap((nat): Failure[] => {
    const subject = { kind: "node", node: nat.node.name } as const;
    const blocked = servedFailures(subject, nat.served, nat.obstacle, facts);
    if (blocked.length > 0) return blocked;
    const lost = nat.node.spec.ports.find((port) => natTarget(nat, port, nodes) === undefined);
    if (lost === undefined) return [];
    const message = `port ${lost.hostPort} of ${nat.node.name} leads to ${lost.target}, which has no address in ${nat.served.cidr.join(" or ")} on a network with it`;
    const hint = "attach that node to the network of the nat, and give its nic an address in the subnet";
    return [{ subject, error: new YardError("nat.target-unknown", message, { hint }) }];
  });
}
