/** The `type` and `options` columns of a network: how it is made. */
import { parseCidr, parseIp, YardError } from "@switchyard/base";
import type { NetworkMaking } from "../model/types.ts";
import type { NetworkRow } from "./switchyard.gen.ts";

/** The `options` of a network's row. */
export function makingOptions(making: NetworkMaking): ReadonlyMap<string, string> {
  switch (making.type) {
    case "lan":
      return options({ rstp: making.rstp ? "true" : undefined });
    case "nat":
      return options({});
    case "bridge":
      return options({ bridge: making.bridge, addresses: making.addresses?.join(" ") });
    case "zerotier":
      return options({ nwid: making.nwid });
    case "macvlan":
    case "passthrough":
      return options({ parent: making.parent });
    case "vlan":
      return options({ id: making.id, master: making.master, bridge: making.bridge });
    case "vxlan": {
      const { id, peers, port, master, address, bridge } = making;
      return options({ id, peers: peers.length === 0 ? undefined : peers.join(" "), port, master, address, bridge });
    }
  }
}

/**
 * The inverse: how a row says that its network is made.
 *
 * @throws YardError `store.bad-row`
 */
export function parseMaking({ name, type, options }: Pick<NetworkRow, "name" | "type" | "options">): NetworkMaking {
  const needed = (key: string): string => {
    const value = options.get(key);
    if (value !== undefined) return value;
    throw new YardError("store.bad-row", `network ${name} of the type "${type}" has no "${key}"`, {
      where: `Network ${name}`,
    });
  };
  switch (type) {
    case "lan":
      return { type, ...(options.get("rstp") === "true" ? { rstp: true } : {}) };
    case "nat":
      return { type };
    case "bridge": {
      const addresses = options.get("addresses")?.split(" ").map(parseCidr);
      return { type, bridge: needed("bridge"), ...(addresses === undefined ? {} : { addresses }) };
    }
    case "zerotier":
      return { type, nwid: needed("nwid") };
    case "macvlan":
    case "passthrough":
      return { type, parent: needed("parent") };
    case "vlan":
      return { type, id: Number(needed("id")), master: needed("master"), bridge: options.get("bridge") };
    case "vxlan": {
      const peers = (options.get("peers") ?? "").split(" ").flatMap((text) => (text === "" ? [] : [parseIp(text)]));
      const master = peers.length > 0 ? undefined : needed("master");
      const address = options.get("address");
      const reach = { peers, master, address: address === undefined ? undefined : parseCidr(address) };
      return { type, id: Number(needed("id")), ...reach, port: Number(needed("port")), bridge: options.get("bridge") };
    }
    default:
      throw new YardError(
        "store.bad-row",
        `network ${name} is of the type "${type}", which this version does not know`,
        {
          where: `Network ${name}`,
        },
      );
  }
}

function options(values: Readonly<Record<string, string | number | undefined>>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as const])),
  );
}
