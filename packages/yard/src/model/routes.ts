import {
  addressOf,
  type Cidr,
  contains,
  family,
  type Ip,
  networkOf,
  parseCidr,
  parseIp,
  YardError,
} from "@switchyard/base";
import { suggest } from "./nearest.ts";
import type { Path } from "./places.ts";
import type { Reading, Written } from "./reading.ts";
import type { RouteFile } from "./schema-nics.ts";
import type { NetworkSpec, NicSpec, RouteSpec } from "./types.ts";

/** Reads `routes`; of a nic when `nic` names it. Wrong ones are left out. */
export function readRoutes(
  routes: readonly RouteFile[] | undefined,
  path: Path,
  nic: string | undefined,
  reading: Reading,
): Written<RouteSpec>[] {
  return (routes ?? []).flatMap((route, index) => {
    const at = [...path, index];
    const to = reading.parse([...at, "to"], route.to, parseDestination);
    const via = route.via === undefined ? undefined : reading.parse([...at, "via"], route.via, parseIp);
    if (to === undefined || (via === undefined && route.via !== undefined)) return [];
    if (nic !== undefined && route.dev !== undefined && route.dev !== nic) {
      reading.places.report(
        [...at, "dev"],
        () =>
          new YardError("route.other-nic", `a route of nic "${nic}" cannot leave by "${route.dev}"`, {
            hint: "leave `dev` out, or move the route to the node's routes",
          }),
      );
      return [];
    }
    const dev = nic ?? route.dev;
    if (via === undefined && (to === "default" || dev === undefined)) {
      reading.places.report(
        at,
        () =>
          new YardError("route.via-missing", `the route to ${to} has no next hop`, {
            hint: to === "default" ? "give it `via`" : "give it `via`, or `dev` for neighbours",
          }),
      );
      return [];
    }
    if (via !== undefined && to !== "default" && family(via) !== family(to)) {
      reading.places.report(
        [...at, "via"],
        () =>
          new YardError(
            "route.mixed-families",
            `the next hop ${via} and the destination ${to} are of different IP versions`,
          ),
      );
      return [];
    }
    return [{ value: { to, via, dev, metric: route.metric }, path: at }];
  });
}

function parseDestination(text: string): Cidr | "default" {
  if (text === "default") return text;
  const cidr = parseCidr(text.includes("/") ? text : `${parseIp(text)}/${text.includes(":") ? 128 : 32}`);
  if (networkOf(cidr) !== cidr)
    throw new YardError("route.host-bits", `${text} is an address in a network, not a network`, {
      hint: `did you mean ${networkOf(cidr)}?`,
    });
  return cidr;
}

/** Whether the node has the nics that its routes name, and reaches their next hops directly. */
export function checkRoutes(
  routes: readonly Written<RouteSpec>[],
  nics: readonly NicSpec[],
  networks: ReadonlyMap<string, NetworkSpec>,
  reading: Reading,
): void {
  const direct = routes.flatMap(({ value }) => (value.via === undefined && value.to !== "default" ? [value.to] : []));
  for (const { value, path } of routes) {
    const { dev, via } = value;
    const names = nics.map(({ name }) => name);
    const leaves = dev === undefined ? nics : nics.filter(({ name }) => name === dev);
    if (dev !== undefined && leaves.length === 0) {
      const hint = suggest(dev, names);
      reading.places.report(
        [...path, "dev"],
        () => new YardError("route.nic-unknown", `the node has no nic "${dev}"`, hint === undefined ? {} : { hint }),
      );
    } else if (
      via !== undefined &&
      !reaches(via, leaves, networks, reading) &&
      !direct.some((to) => contains(to, via))
    ) {
      reading.places.report(
        [...path, "via"],
        () =>
          new YardError(
            "route.via-unreachable",
            `the next hop ${via} is in none of the networks that the node has an address in`,
            { hint: "a next hop is a neighbour on the same network" },
          ),
      );
    }
  }
}

/** Whether nics have neighbours at `ip`; true also where their addresses are not known to be right. */
export function reaches(
  ip: Ip,
  nics: readonly NicSpec[],
  networks: ReadonlyMap<string, NetworkSpec>,
  reading: Reading,
): boolean {
  if (isLinkLocal(ip)) return true;
  return nics.some((nic) => {
    // What a server will say.
    if (nic.dhcp) return true;
    if (nic.ip !== undefined) return nic.ip.some((cidr) => contains(cidr, ip) && addressOf(cidr) !== ip);
    if (nic.network === undefined) return false;
    const network = networks.get(nic.network);
    return (
      network === undefined ||
      reading.unsure(["networks", nic.network, "cidr"]) ||
      network.cidr.some((cidr) => contains(cidr, ip))
    );
  });
}

function isLinkLocal(ip: Ip): boolean {
  return /^fe[89ab]/.test(ip);
}
