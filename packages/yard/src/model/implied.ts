/**
 * Networks that nobody declares: those that a nic names by type and id, `vlan:100`. One that is declared with that type
 * and id is meant, else one of that name is made for as long as a nic is on it. No declared name has a colon.
 */
import { YardError } from "@switchyard/base";
import { suggest } from "./nearest.ts";
import type { NetworkMaking, NetworkSpec } from "./types.ts";
import { parseNwid } from "./zerotier.ts";

/** The types that a nic may name with an id; `default` has none. */
export const IMPLIED_TYPES = ["default", "bridge", "vlan", "vxlan", "macvlan", "passthrough", "zerotier"] as const;
type ImpliedType = (typeof IMPLIED_TYPES)[number];

/** The master of a VLAN where none is named: what Zero-OS calls its own. */
export const BACKPLANE = "backplane";

/** The master of a VXLAN where neither that nor peers are named: what Zero-OS calls its own. */
export const VXBACKEND = "vxbackend";

/** The UDP port of a VXLAN without peers, which Linux took before there was an assigned one, and Zero-OS has. */
export const GROUP_PORT = 8472;

const LINK = /^[A-Za-z0-9_.~-]{1,15}$/;

/**
 * The network that a type and an id stand for; undefined for `default`, which is a network by itself.
 *
 * @throws YardError `nic.bad-id`
 */
export function impliedNetwork(type: ImpliedType, id: string | number | undefined): NetworkSpec | undefined {
  if (type === "default") return undefined;
  const text = id === undefined ? "" : String(id);
  const common = { name: `${type}:${text}`, cidr: [], gateway: [], mtu: undefined };
  switch (type) {
    case "vlan": {
      const number = parseId(type, text, 0, 4094);
      const name = `vlan:${number}`;
      return { ...common, name, type, id: number, master: BACKPLANE, bridge: undefined };
    }
    case "vxlan": {
      const number = parseId(type, text, 1, 0xffffff);
      const name = `vxlan:${number}`;
      const reach = { peers: [], port: GROUP_PORT, master: VXBACKEND, address: undefined };
      return { ...common, name, type, id: number, ...reach, bridge: undefined };
    }
    case "bridge":
      return { ...common, type, bridge: parseLink(type, text) };
    case "zerotier": {
      const nwid = parseNwid(text);
      return { ...common, name: `zerotier:${nwid}`, type, nwid };
    }
    case "macvlan":
    case "passthrough":
      return { ...common, type, parent: parseLink(type, text) };
  }
}

/** The network that a name stands for which no declared one can have; undefined for any other name. @throws YardError `nic.bad-id` */
export function impliedByName(name: string): NetworkSpec | undefined {
  const at = name.indexOf(":");
  if (at < 0) return undefined;
  const type = IMPLIED_TYPES.find((one) => one === name.slice(0, at));
  const spec = type && impliedNetwork(type, name.slice(at + 1));
  if (spec !== undefined) return spec;
  const hint =
    suggest(name.slice(0, at), IMPLIED_TYPES) ??
    `write <type>:<id>, the type being ${IMPLIED_TYPES.slice(1).join(", ")}`;
  throw new YardError("nic.bad-id", `"${name}" names no network`, { hint });
}

/** Whether a network is what a type and an id stand for. */
export function isMeant(network: NetworkMaking, implied: NetworkMaking): boolean {
  switch (implied.type) {
    case "vlan":
    case "vxlan":
      return network.type === implied.type && network.id === implied.id;
    case "bridge":
      return network.type === implied.type && network.bridge === implied.bridge;
    case "zerotier":
      return network.type === implied.type && network.nwid === implied.nwid;
    case "macvlan":
    case "passthrough":
      return network.type === implied.type && network.parent === implied.parent;
    default:
      return false;
  }
}

function parseId(type: ImpliedType, text: string, least: number, most: number): number {
  const number = /^\d{1,8}$/.test(text) ? Number(text) : -1;
  if (number >= least && number <= most) return number;
  throw new YardError(
    "nic.bad-id",
    text === "" ? `a nic of type ${type} needs an id` : `"${text}" is no id of a ${type}`,
    {
      hint: `a number from ${least} to ${most}`,
    },
  );
}

function parseLink(type: ImpliedType, text: string): string {
  if (LINK.test(text)) return text;
  const what = type === "bridge" ? "a bridge" : "a NIC of the host";
  throw new YardError(
    "nic.bad-id",
    text === "" ? `a nic of type ${type} needs an id` : `"${text}" cannot be the name of ${what}`,
    {
      hint: `the name of ${what}`,
    },
  );
}
