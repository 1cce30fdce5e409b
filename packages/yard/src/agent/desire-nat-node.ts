/** What nodes of kind nat need: the host's end, with source NAT behind it, and a server of addresses and names on it. */
import { addressOf, contains, family, nthHost, prefixOf } from "@switchyard/base";
import type { NodeEntry, Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import type { HostFacts } from "./desire.ts";
import { type Dnsmasq, dnsmasqOn, dynamicRange, type Host } from "./desire-dnsmasq.ts";
import type { JointNic } from "./desire-joints.ts";
import { obstacle, type Served, servedFailures } from "./desire-nat.ts";
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
    return [{ node, served: servedBy(node.name, [cidr], [addressOf(nthHost(cidr, 1))]) }];
  });
  const others = [...rows.networks, ...all.map(({ served }) => served)];
  return new Map(
    all.map(({ node, served }) => [
      node.name,
      { node, served, device: natDevice(facts.yard, node.name), obstacle: obstacle(served, others, facts) },
    ]),
  );
}

function servedBy(node: string, cidr: Served["cidr"], gateway: Served["gateway"]): Served {
  return { name: `nat:${node}`, type: "nat", cidr, gateway };
}

/** The host's end of a node of kind nat. */
export function natDevice(yard: string, node: string): string {
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
  const [cidr] = served.cidr;
  if (cidr === undefined) return;
  into.veths.set(port, {
    namespace: HOST,
    name: device,
    mac: gatewayMac(facts.yard, served.name),
    mtu,
    up: true,
    // Clients of DHCP that read raw packets throw those away whose checksum is left to the receiver. A guest's nic, which
    // could ask for whole ones, would have to be taken out and put in again when somebody plugs a nat into its lan.
    offloads: false,
    addresses: served.gateway.map((ip) => `${ip}/${prefixOf(cidr)}`),
    purpose: purposeOf({ kind: "nic", node: node.name, nic: nic.name }),
  });
  const purpose = purposeOf({ kind: "node", node: node.name });
  into.nats.set(device, { subnets: [...served.cidr], forwarding: true, apart: false, purpose });
}

/** The first address that is leased, by its number in the subnet. */
const FIRST_LEASE = 10;

/** dnsmasq(8) on the host's end. It leases to whoever asks, and to nics that have an address in the subnet that one. */
export function natDnsmasq(
  { node, served, device, obstacle }: NatNode,
  nodes: readonly NodeEntry[],
  facts: HostFacts,
): Dnsmasq | undefined {
  const [cidr] = served.cidr;
  if (obstacle !== undefined || cidr === undefined) return undefined;
  const joined = new Set(node.nics.flatMap(({ network }) => network ?? []));
  const hosts = nodes.flatMap(({ name, nics }) =>
    nics.flatMap(({ network = "", mac, addresses }) =>
      !joined.has(network)
        ? []
        : addresses
            .filter((address) => family(address) === 4 && contains(cidr, addressOf(address)))
            .map((address): Host => ({ mac, ip: addressOf(address), name })),
    ),
  );
  const last = 2 ** (32 - prefixOf(cidr)) - 2;
  const [start, end] = [addressOf(nthHost(cidr, FIRST_LEASE)), addressOf(nthHost(cidr, last))];
  const range = dynamicRange({ cidr, start, end });
  const purpose = purposeOf({ kind: "node", node: node.name });
  const leases = `--dhcp-leasefile=${natLeasesFile(facts.run, facts.yard, node.name)}`;
  return dnsmasqOn({ device, key: device, purpose }, [range, leases], hosts, facts);
}

/** What keeps them from being as declared. */
export function natFailures(rows: Rows, facts: HostFacts): Failure[] {
  return [...natNodes(rows, facts).values()].flatMap(({ node, served, obstacle }) =>
    servedFailures({ kind: "node", node: node.name }, served, obstacle, facts),
  );
}
