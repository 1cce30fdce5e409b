import {
  addressOf,
  type Cidr,
  contains,
  family,
  type Ip,
  networkOf,
  nthHost,
  overlaps,
  parseCidr,
  parseIp,
  prefixOf,
  toNumber,
  YardError,
} from "@switchyard/base";
import { checkMakings, readMaking } from "./making.ts";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import type { NetworkFile } from "./schema.ts";
import type { NetworkMaking, NetworkSpec } from "./types.ts";

/** Bytes that every link has to carry where IPv6 is spoken. */
const LEAST_IPV6_MTU = 1280;

/** The networks in file order; those whose addresses are wrong are there, without them. */
export function readNetworks(reading: Reading): Map<string, NetworkSpec> {
  const networks = new Map<string, NetworkSpec>();
  for (const name of reading.places.keys(["networks"])) {
    const written = reading.data.networks?.[name];
    if (written !== undefined) networks.set(name, readNetwork(name, written ?? {}, reading));
  }
  checkOverlaps([...networks.values()], reading);
  checkMakings([...networks.values()], reading);
  return networks;
}

function readNetwork(name: string, written: NetworkFile, reading: Reading): NetworkSpec {
  const path = ["networks", name];
  const cidr = reading.each([...path, "cidr"], written.cidr, parseSubnet);
  const gateway = reading.each([...path, "gateway"], written.gateway, parseIp);
  for (const version of [4, 6] as const) {
    if (cidr.filter(({ value }) => family(value) === version).length > 1)
      reading.places.report(
        [...path, "cidr"],
        () =>
          new YardError("network.two-subnets", `network "${name}" has more than one IPv${version} subnet`, {
            hint: "make a second network, or name addresses at the nics",
          }),
      );
    if (gateway.filter(({ value }) => family(value) === version).length > 1)
      reading.places.report(
        [...path, "gateway"],
        () => new YardError("network.two-gateways", `network "${name}" has more than one IPv${version} gateway`),
      );
  }
  for (const { value, path: at } of gateway) {
    const subnet = cidr.find((one) => contains(one.value, value));
    if (subnet === undefined && !reading.unsure([...path, "cidr"])) {
      const same = cidr.find((one) => family(one.value) === family(value));
      reading.places.report(
        at,
        () =>
          new YardError(
            "network.gateway-outside",
            `the gateway ${value} is not in ${same === undefined ? "a subnet" : same.value} of network "${name}"`,
            {
              hint: same === undefined ? `say which: cidr: ${networkOf(guess(value))}` : `it must lie in ${same.value}`,
            },
          ),
      );
    } else if (subnet !== undefined && !isHost(subnet.value, value)) {
      reading.places.report(
        at,
        () =>
          new YardError(
            "network.gateway-outside",
            `${value} is ${subnet.value}'s network or broadcast address, not a host's`,
          ),
      );
    }
  }
  checkIpv6Mtu(
    written.mtu,
    cidr.some(({ value }) => family(value) === 6),
    [...path, "mtu"],
    reading,
  );
  const making = readMaking(name, written, reading);
  if ((making.type === "macvlan" || making.type === "passthrough") && gateway.length > 0)
    reading.places.reportKey(
      [...path, "gateway"],
      () =>
        new YardError("network.no-gateway", `the host cannot be on network "${name}", which is a ${making.type}`, {
          hint: "name the way out at the nics: nics: [{ network: …, gateway: … }]",
        }),
    );
  if (making.type === "nat")
    for (const { value, path: at } of cidr)
      if (family(value) === 6 && prefixOf(value) !== 64)
        reading.places.report(
          at,
          () =>
            new YardError("network.nat-prefix", `${value} of network "${name}", which is a nat, is no /64`, {
              hint: `routers advertise nothing else to nodes: ${addressOf(value)}/64`,
            }),
        );
  return {
    ...making,
    name,
    cidr: cidr.map(({ value }) => value),
    gateway: [...gateway.map(({ value }) => value), ...firstGateways(making, cidr, gateway)],
    mtu: written.mtu,
  };
}

/** IPv6 is not spoken where packets of 1,280 bytes do not pass (RFC 8200, section 5): the kernel takes its addresses away. */
export function checkIpv6Mtu(mtu: number | undefined, ipv6: boolean, path: Path, reading: Reading): void {
  if (mtu === undefined || mtu >= LEAST_IPV6_MTU || !ipv6) return;
  reading.places.report(
    path,
    () =>
      new YardError(
        "lab.out-of-range",
        `"mtu" is at least ${LEAST_IPV6_MTU} where there are IPv6 addresses, not ${mtu}`,
      ),
  );
}
/** The host is on a nat whether it is said or not: at its first address of each family. */
function firstGateways(
  making: NetworkMaking,
  cidr: readonly { readonly value: Cidr }[],
  written: readonly { readonly value: Ip }[],
): Ip[] {
  if (making.type !== "nat") return [];
  return cidr
    .filter(({ value }) => !written.some((it) => family(it.value) === family(value)))
    .map(({ value }) => addressOf(nthHost(value, 1)));
}

function guess(ip: Ip): Cidr {
  return parseCidr(`${ip}/${family(ip) === 4 ? 24 : 64}`);
}

function parseSubnet(text: string): Cidr {
  const cidr = parseCidr(text);
  const network = networkOf(cidr);
  if (network !== cidr)
    throw new YardError("network.host-bits", `${text} is an address in a network, not a network`, {
      hint: `did you mean ${network}?`,
    });
  return cidr;
}

/** Whether an address of the network can be a host's: not the network's own nor the broadcast address (RFC 1122, 3021). */
export function isHost(cidr: Cidr, ip: Ip): boolean {
  const width = (family(cidr) === 4 ? 32 : 128) - prefixOf(cidr);
  if (width < 2 || !contains(cidr, ip)) return true;
  const network = networkOf(cidr);
  if (addressOf(network) === ip) return false;
  return family(cidr) === 6 || toNumber(ip) !== toNumber(addressOf(network)) + 2n ** BigInt(width) - 1n;
}

/** The host can be on two networks only if it can tell them apart. */
function checkOverlaps(networks: readonly NetworkSpec[], reading: Reading): void {
  const subnets = networks.flatMap(({ name, cidr, gateway }) =>
    cidr
      .filter((one) => gateway.some((ip) => contains(one, ip)))
      .map((one) => ({ name, one, first: toNumber(addressOf(one)) })),
  );
  // Subnets are disjoint or nested, so in this order one that clashes with any before clashes with the last widest.
  subnets.sort(
    (a, b) =>
      family(a.one) - family(b.one) ||
      Number(a.first > b.first) - Number(a.first < b.first) ||
      prefixOf(a.one) - prefixOf(b.one),
  );
  let widest: (typeof subnets)[number] | undefined;
  for (const subnet of subnets) {
    const before = widest;
    if (before !== undefined && overlaps(before.one, subnet.one))
      reading.places.report(
        ["networks", subnet.name, "cidr"],
        () =>
          new YardError(
            "network.overlap",
            `${subnet.one} of network "${subnet.name}" overlaps ${before.one} of network "${before.name}", and the host has a gateway address on both`,
            { hint: "take another subnet, or leave the gateway out of one of the two" },
          ),
      );
    else widest = subnet;
  }
}
