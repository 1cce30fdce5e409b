/** Which subnet a nat network has that names none. */
import { addressOf, type Cidr, type Ip, nthHost, overlaps, parseCidr, YardError } from "@switchyard/base";
import type { Database } from "@switchyard/ovsdb";
import type { NetworkSpec } from "../model/types.ts";
import { parseNodeConfig } from "./config.ts";
import { hostSubnets } from "./host-subnets.ts";
import type { Store } from "./store.ts";
import type { SwitchyardTables } from "./switchyard.gen.ts";

/** Private ones (RFC 1918), in the order in which they are tried; Docker begins at 172.17. */
const CANDIDATES = [
  ...Array.from({ length: 12 }, (_, i) => parseCidr(`172.${30 - i}.0.0/16`)),
  ...Array.from({ length: 56 }, (_, i) => parseCidr(`10.${200 + i}.0.0/16`)),
];

/**
 * The addresses of a network: as it names them, else as it has them, else chosen so that they overlap neither the
 * host's nor those of other networks.
 *
 * @param present those that the network has
 * @param others what is taken: the host's subnets, and those of the yard's other networks
 * @throws YardError `network.no-subnet`
 */
export function chooseSubnet(
  spec: NetworkSpec,
  present: Pick<NetworkSpec, "cidr" | "gateway"> | undefined,
  others: () => readonly Cidr[],
): Pick<NetworkSpec, "cidr" | "gateway"> {
  if (spec.type !== "nat" || spec.cidr.length > 0) return spec;
  if (present !== undefined && present.cidr.length > 0) return present;
  const taken = others();
  const cidr = CANDIDATES.find((one) => !taken.some((other) => overlaps(one, other)));
  if (cidr !== undefined) return { cidr: [cidr], gateway: [firstAddress(cidr)] };
  throw new YardError("network.no-subnet", `no subnet is free for network ${spec.name}`, {
    hint: "give it a cidr that nobody uses",
  });
}

function firstAddress(cidr: Cidr): Ip {
  return addressOf(nthHost(cidr, 1));
}

/** The subnets of the nodes of kind nat. */
export function natSubnets(db: Database<SwitchyardTables>): Cidr[] {
  return [...db.table("Node")].flatMap((row) => {
    const spec = row.kind === "nat" ? parseNodeConfig(row) : undefined;
    return spec?.kind === "nat" ? spec.cidr : [];
  });
}

/** A subnet for a node of kind nat: one that neither the host nor the yard has. @throws YardError `network.no-subnet` */
export function freeSubnet({ db }: Store, yard: string): Cidr {
  const taken = [
    ...hostSubnets(yard).map(({ cidr }) => cidr),
    ...[...db.table("Network")].flatMap((row) => [...row.cidr].map(parseCidr)),
    ...natSubnets(db),
  ];
  const free = CANDIDATES.find((one) => !taken.some((other) => overlaps(one, other)));
  if (free !== undefined) return parseCidr(`${addressOf(free)}/24`);
  throw new YardError("network.no-subnet", "no subnet is free for a nat", { hint: "give it a cidr that nobody uses" });
}
