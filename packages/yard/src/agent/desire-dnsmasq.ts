/** The processes that give out addresses and resolve names: on networks of type nat, and on bridges of the kernel's own. */
import { addressOf, type Cidr, family, type Ip, type Mac, networkOf, prefixOf } from "@switchyard/base";
import type { NetworkEntry, NodeEntry } from "../store/rows.ts";
import type { HostFacts } from "./host-facts.ts";
import { dnsmasqFolder, gatewayDevice } from "./names.ts";
import type { FileState, ServiceState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** What serves one network: the process, by its id, and the files that it follows. */
export interface Dnsmasq {
  readonly id: string;
  readonly service: ServiceState;
  readonly files: ReadonlyMap<string, FileState>;
}

/** An address on the network: whose it is, and what it is called. */
export interface Host {
  /** Who is leased it, and nobody else. */
  readonly mac?: Mac | undefined;
  readonly ip: Ip;
  readonly name: string | undefined;
}

/**
 * dnsmasq(8) on the gateway's device of a nat. It gives a nic the address that the store has for its MAC, and no other.
 */
export function dnsmasq(network: NetworkEntry, nodes: readonly NodeEntry[], facts: HostFacts): Dnsmasq {
  const device = gatewayDevice(facts.yard, network.name);
  const purpose = purposeOf({ kind: "network", network: network.name });
  const hosts = nodes.flatMap((node) =>
    node.nics.flatMap((nic) =>
      nic.network !== network.name
        ? []
        : nic.addresses.map((address) => ({ mac: nic.mac, ip: addressOf(address), name: node.name })),
    ),
  );
  const ranges = network.cidr.flatMap((cidr) =>
    family(cidr) === 4
      ? [`--dhcp-range=${addressOf(networkOf(cidr))},static,${netmask(prefixOf(cidr))}`]
      : [`--dhcp-range=${addressOf(networkOf(cidr))},static,${prefixOf(cidr)}`, ADVERTISE],
  );
  // Who has an address is in the store: to ask the network takes three seconds.
  return dnsmasqOn({ device, key: device, purpose }, ["--leasefile-ro", "--no-ping", ...ranges], hosts, facts);
}

/** The advertisements of a router (RFC 4861), without which no client has a default route for IPv6. */
const ADVERTISE = "--enable-ra";

/**
 * Leases from `start` to `end`. Of IPv6, whose subnet is a /64, clients may as well derive their addresses (RFC 4862); a
 * name is given to those too.
 */
export function dynamicRange({
  cidr,
  start,
  end,
}: {
  readonly cidr: Cidr;
  readonly start: Ip;
  readonly end: Ip;
}): readonly string[] {
  return family(cidr) === 4
    ? [`--dhcp-range=${start},${end},${netmask(prefixOf(cidr))}`]
    : [`--dhcp-range=${start},${end},slaac,ra-names,${prefixOf(cidr)}`, ADVERTISE];
}

/**
 * dnsmasq(8) on one link and nowhere else, without its privileges once it has its sockets; the host's own resolv.conf
 * tells it whom to ask for names that are not the nodes'.
 *
 * @param on the link, what its process and files are called by, and what they are for
 * @param leasing what it is told of leases
 */
export function dnsmasqOn(
  { device, key, purpose }: { readonly device: string; readonly key: string; readonly purpose: string },
  leasing: readonly string[],
  hosts: readonly Host[],
  facts: HostFacts,
): Dnsmasq {
  const folder = dnsmasqFolder(facts.run, key);
  // A host of both families is one line: of two for a MAC the second would count for nothing.
  const leases = new Map<Mac, string[]>();
  for (const { mac, ip } of hosts)
    if (mac !== undefined) leases.set(mac, [...(leases.get(mac) ?? []), family(ip) === 4 ? ip : `[${ip}]`]);
  const text = (lines: readonly string[]): FileState => ({
    type: "text",
    text: lines.map((line) => `${line}\n`).join(""),
    // It follows the folders by inotify(7): a file that is written in place is read once.
    bound: true,
    purpose,
  });
  return {
    id: `dnsmasq-${key}`,
    service: {
      argv: [
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--pid-file=",
        "--log-facility=-",
        "--user=nobody",
        "--group=nogroup",
        `--interface=${device}`,
        "--except-interface=lo",
        "--bind-dynamic",
        "--no-hosts",
        "--domain-needed",
        "--bogus-priv",
        "--dhcp-authoritative",
        ...leasing,
        `--dhcp-hostsdir=${folder}/dhcp`,
        `--hostsdir=${folder}/names`,
      ],
      running: true,
      namespace: undefined,
      purpose,
    },
    files: new Map([
      [`${folder}/dhcp/nics`, text([...leases].map(([mac, ips]) => `${mac},${ips.join(",")}`))],
      [`${folder}/names/nodes`, text(hosts.flatMap(({ ip, name }) => (name === undefined ? [] : [`${ip} ${name}`])))],
    ]),
  };
}

function netmask(prefix: number): string {
  return [0, 1, 2, 3].map((byte) => 256 - 2 ** (8 - Math.min(Math.max(prefix - 8 * byte, 0), 8))).join(".");
}
