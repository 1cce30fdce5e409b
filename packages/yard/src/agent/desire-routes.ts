import { addressOf, contains, family, type Ip, networkOf } from "@switchyard/base";
import type { Route } from "@switchyard/linux";
import type { RouteSpec } from "../model/types.ts";
import type { NetworkEntry, NicEntry, NodeEntry } from "../store/rows.ts";
import { dhcpClientId } from "./desire-dhcp.ts";
import type { Lease } from "./leases.ts";
import { formatRoute } from "./route.ts";

/**
 * The routes of a node, as a State holds them: its own, those of its nics, and a default route a family over the first
 * nic that names a gateway, or failing that over the first whose network or lease has one.
 */
export function nodeRoutes(
  node: NodeEntry,
  networks: ReadonlyMap<string, NetworkEntry>,
  leases: ReadonlyMap<string, Lease>,
): string[] {
  const own = [
    ...node.spec.routes.map((route) => toRoute(route, route.dev ?? deviceTowards(node, route.via))),
    ...node.nics.flatMap((nic) => nic.routes.map((route) => toRoute(route, nic.name))),
  ];
  const defaults = ([4, 6] as const).flatMap((version) => {
    const name = version === 4 ? "default4" : "default6";
    // Whoever writes a default route himself wants no other.
    if (own.some((route) => route.to === name)) return [];
    return defaultRoutes(node, networks, leases, version);
  });
  return [...new Set([...own, ...defaults].map(formatRoute))].toSorted();
}

function defaultRoutes(
  node: NodeEntry,
  networks: ReadonlyMap<string, NetworkEntry>,
  leases: ReadonlyMap<string, Lease>,
  version: 4 | 6,
): Route[] {
  const to = version === 4 ? "default4" : "default6";
  const named = node.nics.flatMap((nic) =>
    (nic.gateway ?? [])
      .filter((ip) => family(ip) === version && !has(nic, ip))
      .map((via) => ({ to, via, dev: nic.name }) as const),
  );
  // The others stay reachable as fallbacks; metrics keep them apart, as two routes cannot be alike.
  const base = version === 4 ? 0 : 1024;
  if (named.length > 0) return named.map((route, i) => (i === 0 ? route : { ...route, metric: base + i }));
  for (const nic of node.nics) {
    if (nic.gateway !== undefined) continue;
    const lease = version === 4 && nic.dhcp ? leases.get(dhcpClientId(node, nic)) : undefined;
    const offered = lease?.gateway ?? networks.get(nic.network ?? "")?.gateway ?? [];
    const via = offered.find((ip) => family(ip) === version && reaches(nic, ip));
    if (via !== undefined) return [{ to, via, dev: nic.name }];
  }
  return [];
}

function toRoute(route: RouteSpec, dev: string | undefined): Route {
  const version = route.via === undefined ? 4 : family(route.via);
  return {
    to: route.to === "default" ? (version === 4 ? "default4" : "default6") : networkOf(route.to),
    ...(route.via === undefined ? {} : { via: route.via }),
    ...(dev === undefined ? {} : { dev }),
    ...(route.metric === undefined ? {} : { metric: route.metric }),
  };
}

/** The nic that the kernel would choose: one in whose subnet the next hop lies. Without one the route cannot be made. */
function deviceTowards(node: NodeEntry, via: Ip | undefined): string | undefined {
  return via === undefined ? undefined : node.nics.find((nic) => reaches(nic, via))?.name;
}

function reaches(nic: NicEntry, ip: Ip): boolean {
  return nic.addresses.some((address) => contains(address, ip));
}

function has(nic: NicEntry, ip: Ip): boolean {
  return nic.addresses.some((address) => addressOf(address) === ip);
}
