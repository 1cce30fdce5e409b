/**
 * Routes as the texts that a State holds. There is one text for a route, so that texts can be compared:
 * `<to> [via <ip>] [dev <name>] [metric <n>]`, where `<to>` is a network or `default4` or `default6`, `dev` is always
 * told where it is known, and IPv6's default metric of 1024 is left out as IPv4's 0 is.
 */
import { parseCidr, parseIp } from "@switchyard/base";
import type { Route } from "@switchyard/linux";

/** What the kernel gives an IPv6 route that asks for none: IP6_RT_PRIO_USER in include/uapi/linux/ipv6_route.h. */
const IPV6_METRIC = 1024;

export function formatRoute(route: Route): string {
  const plain = route.metric === undefined || route.metric === (isIpv6(route) ? IPV6_METRIC : 0);
  return [
    route.to,
    ...(route.via === undefined ? [] : ["via", route.via]),
    ...(route.dev === undefined ? [] : ["dev", route.dev]),
    ...(plain ? [] : ["metric", String(route.metric)]),
  ].join(" ");
}

/** The inverse of {@link formatRoute}. @throws YardError `address.bad-cidr`, `address.bad-ip` */
export function parseRoute(text: string): Route {
  const [to = "", ...rest] = text.split(" ");
  // In pairs, as a nic may be called `via`.
  const told = new Map<string | undefined, string | undefined>();
  for (let i = 0; i < rest.length; i += 2) told.set(rest[i], rest[i + 1]);
  const via = told.get("via");
  const dev = told.get("dev");
  const metric = told.get("metric");
  return {
    to: to === "default4" || to === "default6" ? to : parseCidr(to),
    ...(via === undefined ? {} : { via: parseIp(via) }),
    ...(dev === undefined ? {} : { dev }),
    ...(metric === undefined ? {} : { metric: Number(metric) }),
  };
}

/** The device that a route's text names. */
export function routeDevice(text: string): string | undefined {
  return / dev (\S+)/.exec(text)?.[1];
}

function isIpv6(route: Route): boolean {
  return route.to === "default6" || route.to.includes(":");
}
