/** `ip -json` output, parsed at this boundary into what a namespace holds. */
import { type Cidr, parseCidr, parseIp, YardError } from "@switchyard/base";
import { type Link, type LinkAddress, type NamespaceView, type Route, UPPER_KINDS, type VxlanSeen } from "./types.ts";

type Json = Readonly<Record<string, unknown>>;

/** @throws YardError `netlink.malformed` when it is not what `ip` prints */
export function viewFromJson(links: string, routes: readonly { version: "-4" | "-6"; text: string }[]): NamespaceView {
  const found = objects(links);
  const indexes = new Map(found.map((json) => [text(json.ifname), number(json.ifindex)]));
  const list = found.map((json) => readLink(json, indexes));
  return {
    links: new Map(list.map((link) => [link.name, link])),
    routes: routes.flatMap(({ version, text }) => objects(text).map((route) => readRoute(route, version))),
  };
}

function readLink(json: Json, indexes: ReadonlyMap<string, number>): Link {
  const flags = json.flags;
  const has = (flag: string) => Array.isArray(flags) && flags.includes(flag);
  const linkinfo = json.linkinfo;
  const kind = isObject(linkinfo) ? text(linkinfo.info_kind) : "";
  const addresses = Array.isArray(json.addr_info) ? json.addr_info.filter(isObject).map(readAddress) : [];
  return {
    index: number(json.ifindex),
    name: text(json.ifname),
    kind,
    mac: text(json.address),
    mtu: number(json.mtu),
    up: has("UP"),
    carrier: has("LOWER_UP"),
    alias: text(json.ifalias),
    peerIndex: kind === "veth" ? number(json.link_index) : 0,
    master: indexes.get(text(json.master)) ?? 0,
    // Told by its name, which is a number unless /etc/iproute2/group has another.
    group: Number(text(json.group)) || 0,
    ...(UPPER_KINDS.has(kind) ? { parent: indexes.get(text(json.link)) ?? number(json.link_index) } : {}),
    ...(kind === "vxlan" && isObject(linkinfo) && isObject(linkinfo.info_data)
      ? { vxlan: readVxlan(linkinfo.info_data, indexes) }
      : {}),
    // `ip` does not tell.
    offloads: undefined,
    addresses,
  };
}

function readVxlan(data: Json, indexes: ReadonlyMap<string, number>): VxlanSeen {
  return {
    id: number(data.id),
    group: text(data.group) || text(data.group6) || text(data.remote) || text(data.remote6),
    lower: indexes.get(text(data.link)) ?? 0,
    dstport: number(data.port),
    ttl: number(data.ttl),
    // Only the exception is told by some versions.
    learning: data.learning !== false,
  };
}

const forever = 4294967295;

function readAddress(json: Json): LinkAddress {
  const address: Cidr = parseCidr(`${text(json.local)}/${number(json.prefixlen)}`);
  return {
    address,
    ours: json.scope === "global" && json.dynamic !== true && number(json.valid_life_time) === forever,
  };
}

function readRoute(json: Json, version: "-4" | "-6"): Route {
  const destination = text(json.dst);
  const via = isObject(json.via) ? text(json.via.host) : text(json.gateway);
  const metric = number(json.metric);
  const bits = version === "-4" ? 32 : 128;
  return {
    to:
      destination === "default"
        ? version === "-4"
          ? "default4"
          : "default6"
        : parseCidr(destination.includes("/") ? destination : `${destination}/${bits}`),
    ...(via === "" ? {} : { via: parseIp(via) }),
    ...(text(json.dev) === "" ? {} : { dev: text(json.dev) }),
    ...(metric === 0 || (version === "-6" && metric === 1024) ? {} : { metric }),
  };
}

function objects(output: string): Json[] {
  if (output.trim() === "") return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(output);
  } catch (error) {
    throw new YardError("netlink.malformed", "ip printed something that is not JSON", { cause: error });
  }
  // `ip -json` prints `{}` for what its filter left out.
  return Array.isArray(parsed) ? parsed.filter((item) => isObject(item) && Object.keys(item).length > 0) : [];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
