/** What of the host's own network a network of a yard, which the host is on, would be in the way of. */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { type Cidr, contains, overlaps, parseCidr, YardError, YardErrors } from "@switchyard/base";
import { parseAlias } from "../agent/mark.ts";
import type { NetworkMaking, NetworkSpec } from "../model/types.ts";

/** A subnet that the host reaches by one of its links. */
export interface HostSubnet {
  readonly device: string;
  readonly cidr: Cidr;
  /** An address that the host has there, or a route only. */
  readonly what: "address" | "route";
}

/** The addresses and routes of the host, but for default routes and what is on links of this yard. */
export function hostSubnets(yard: string): HostSubnet[] {
  const addresses = Object.entries(networkInterfaces()).flatMap(([device, list]) =>
    (list ?? []).flatMap(({ cidr }): HostSubnet[] =>
      cidr === null ? [] : [{ device, cidr: parseCidr(cidr), what: "address" }],
    ),
  );
  const all = [...addresses, ...routes4(), ...routes6()];
  const own = new Set(all.map(({ device }) => device).filter((device) => isOfYard(yard, device)));
  return all.filter(({ device }) => !own.has(device));
}

/**
 * Refuses networks that the host cannot be on, before anything of a yard is started.
 *
 * @throws YardError, or YardErrors, `network.overlaps-host`
 */
export function checkHost(
  yard: string,
  networks: readonly NetworkSpec[],
  locate: (path: readonly string[], error: YardError) => YardError,
): void {
  const present = hostSubnets(yard);
  const [first, ...others] = networks.flatMap((network) => {
    const error = hostOverlap(network, present);
    return error === undefined ? [] : [locate(["networks", network.name, "cidr"], error)];
  });
  if (first !== undefined) throw others.length === 0 ? first : new YardErrors([first, ...others]);
}

/**
 * Why the host cannot be on a network: it reaches that subnet elsewhere already, and one of the two would get the
 * other's packets. What it has on the bridge that the network is on is the network's own.
 */
export function hostOverlap(
  network: NetworkMaking & Pick<NetworkSpec, "name" | "cidr" | "gateway">,
  present: readonly HostSubnet[],
): YardError | undefined {
  const { name, cidr, gateway } = network;
  for (const subnet of cidr) {
    if (!gateway.some((ip) => contains(subnet, ip))) continue;
    const other = present.find((it) => overlaps(it.cidr, subnet) && !isOn(network, it.device));
    if (other === undefined) continue;
    const has =
      other.what === "address"
        ? `which the host has on ${other.device}`
        : `to which the host has a route by ${other.device}`;
    return new YardError("network.overlaps-host", `${subnet} of network "${name}" overlaps ${other.cidr}, ${has}`, {
      hint: "take another subnet, or leave the gateway out, so that the host is not on the network",
    });
  }
  return undefined;
}

/** Whether a network is on a bridge of that name. */
export function isOn(network: NetworkMaking, bridge: string): boolean {
  return network.type === "bridge" && network.bridge === bridge;
}

/** Where the host is on a network. */
export type Subnets = Pick<NetworkSpec, "cidr" | "gateway">;
/** The same of something that the yard has. */
export type Held = Subnets & { readonly holder: string };

/** Why the host cannot be on a network beside others of the yard that it is on. */
export function networkOverlap(
  { name, cidr, gateway }: Subnets & { readonly name: string },
  others: readonly Held[],
): YardError | undefined {
  for (const subnet of cidr) {
    if (!gateway.some((ip) => contains(subnet, ip))) continue;
    for (const other of others) {
      const meets = other.cidr.find((it) => overlaps(it, subnet) && other.gateway.some((ip) => contains(it, ip)));
      if (meets !== undefined)
        return new YardError(
          "network.overlap",
          `${subnet} of network "${name}" overlaps ${meets} of ${other.holder}, and the host has a gateway address on both`,
          { hint: "take another subnet, or leave the gateway out of one of the two" },
        );
    }
  }
  return undefined;
}

/** Whether a link of the host bears a yard's mark. */
export function isOfYard(yard: string, device: string): boolean {
  return parseAlias(yard, read(`/sys/class/net/${device}/ifalias`).trim()) !== undefined;
}

/** Columns: link, destination and (the eighth) mask, in hexadecimal of the machine's byte order (proc(5), route). */
function routes4(): HostSubnet[] {
  return lines("/proc/net/route").flatMap(([device = "", to = "", , , , , , mask = ""]): HostSubnet[] => {
    if (!/^[0-9A-F]{8}$/.test(to) || !/^[0-9A-F]{8}$/.test(mask) || mask === "00000000") return [];
    const bytes = to.match(/../g)?.toReversed() ?? [];
    const prefix = Number.parseInt(mask, 16).toString(2).replaceAll("0", "").length;
    const cidr = parseCidr(`${bytes.map((byte) => Number.parseInt(byte, 16)).join(".")}/${prefix}`);
    return [{ device, cidr, what: "route" }];
  });
}

/** Columns: destination and its prefix length in hexadecimal, …, the tenth is the link. Every link has fe80:: and ff00::. */
function routes6(): HostSubnet[] {
  return lines("/proc/net/ipv6_route").flatMap((columns): HostSubnet[] => {
    const [to = "", length = ""] = columns;
    const device = columns[9] ?? "";
    const prefix = Number.parseInt(length, 16);
    if (!/^[0-9a-f]{32}$/.test(to) || !(prefix > 0) || device === "lo" || /^(fe[89ab]|ff)/.test(to)) return [];
    return [{ device, cidr: parseCidr(`${to.match(/.{4}/g)?.join(":")}/${prefix}`), what: "route" }];
  });
}

function lines(path: string): string[][] {
  return read(path)
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
}

/** There may be no IPv6, and a link may go at this moment. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
