/** Routes in rtnetlink's terms (rtnetlink(7), <linux/rtnetlink.h>). */
import { addressOf, type Cidr, family, type Ip, ipBytes, prefixOf } from "@switchyard/base";
import { AF_INET, AF_INET6 } from "../ffi.ts";
import type { Route } from "../types.ts";
import { ROUTE_PROTOCOL } from "./address.ts";
import { ipText } from "./ip.ts";
import { type MessageWriter, NLM_F_CREATE, NLM_F_EXCL, type ReceivedMessage } from "./message.ts";
import type { NetlinkRequest } from "./socket.ts";

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_VIA = 18;
const RT_TABLE_MAIN = 254;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTN_UNICAST = 1;
const RTMSG = 12;
/** The metric that IPv6 takes where none is given (IP6_RT_PRIO_USER). */
const defaultMetric6 = 1024;

/** `index` is the ifindex of `route.dev`, 0 when it has none. */
export function addRoute(route: Route, index: number): NetlinkRequest {
  const scope = route.via === undefined && routeFamily(route) === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: (writer) => routeBody(writer, route, index, scope),
  };
}

/** Deletes a route of ours only: the kernel compares the protocol too. */
export function deleteRoute(route: Route, index: number): NetlinkRequest {
  return { type: RTM_DELROUTE, flags: 0, body: (writer) => routeBody(writer, route, index, RT_SCOPE_NOWHERE) };
}

/** 4 or 6: by its destination. */
export function routeFamily(route: Route): 4 | 6 {
  if (route.to === "default4") return 4;
  if (route.to === "default6") return 6;
  return family(route.to);
}

function routeBody(writer: MessageWriter, route: Route, index: number, scope: number): void {
  const { to, via, metric } = route;
  const ipv4 = routeFamily(route) === 4;
  const isDefault = to === "default4" || to === "default6";
  writer
    .u8(ipv4 ? AF_INET : AF_INET6)
    .u8(isDefault ? 0 : prefixOf(to))
    .u8(0)
    .u8(0)
    .u8(RT_TABLE_MAIN)
    .u8(ROUTE_PROTOCOL)
    .u8(scope)
    .u8(RTN_UNICAST)
    .u32(0);
  if (!isDefault) writer.attribute(RTA_DST, ipBytes(addressOf(to)));
  if (via !== undefined) {
    if (ipv4 === (family(via) === 4)) writer.attribute(RTA_GATEWAY, ipBytes(via));
    // An IPv4 network behind an IPv6 router (RFC 5549): struct rtvia is the family and the address.
    else writer.attribute(RTA_VIA, viaBytes(via));
  }
  if (index !== 0) writer.attributeU32(RTA_OIF, index);
  if (metric !== undefined) writer.attributeU32(RTA_PRIORITY, metric);
}

function viaBytes(via: Ip): Uint8Array {
  const bytes = ipBytes(via);
  const value = new Uint8Array(2 + bytes.length);
  new Uint16Array(value.buffer, 0, 1)[0] = bytes.length === 4 ? AF_INET : AF_INET6;
  value.set(bytes, 2);
  return value;
}

/** The body of a dump of our routes of a family; a kernel with strict checking leaves out the others itself. */
export function routeDump(version: 4 | 6): (writer: MessageWriter) => void {
  return (writer) => {
    writer
      .u8(version === 4 ? AF_INET : AF_INET6)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(ROUTE_PROTOCOL)
      .u8(0)
      .u8(0)
      .u32(0);
  };
}

/** Reads an RTM_NEWROUTE or RTM_DELROUTE message; undefined for a route that is not ours. `nameOf` names an ifindex. */
export function readRoute(message: ReceivedMessage, nameOf: (index: number) => string | undefined): Route | undefined {
  const { reader, start, end } = message;
  const version = reader.u8(start);
  const prefix = reader.u8(start + 1);
  if (version !== AF_INET && version !== AF_INET6) return undefined;
  if (reader.u8(start + 5) !== ROUTE_PROTOCOL || reader.u8(start + 7) !== RTN_UNICAST) return undefined;
  let to: Route["to"] = version === AF_INET ? "default4" : "default6";
  let via: Ip | undefined;
  let dev: string | undefined;
  let metric: number | undefined;
  reader.attributes(start + RTMSG, end, (type, from, till) => {
    if (type === RTA_DST) to = `${ipText(reader.slice(from, till))}/${prefix}` as Cidr;
    else if (type === RTA_GATEWAY) via = ipText(reader.slice(from, till));
    else if (type === RTA_VIA) via = ipText(reader.slice(from + 2, till));
    else if (type === RTA_OIF) dev = nameOf(reader.u32(from));
    else if (type === RTA_PRIORITY) metric = reader.u32(from);
  });
  if (version === AF_INET6 && metric === defaultMetric6) metric = undefined;
  return {
    to,
    ...(via === undefined ? {} : { via }),
    ...(dev === undefined ? {} : { dev }),
    ...(metric === undefined ? {} : { metric }),
  };
}
