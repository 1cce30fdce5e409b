import type { InterfaceRow } from "../schema/open_vswitch.gen.ts";
import type { Switch } from "./types.ts";

/** The types of interfaces whose packets get another packet around them (ovs-vswitchd.conf.db(5)). */
const TUNNELS = new Set([
  "vxlan",
  "geneve",
  "gre",
  "ip6gre",
  "erspan",
  "ip6erspan",
  "gtpu",
  "stt",
  "lisp",
  "bareudp",
  "srv6",
]);

/** What VXLAN adds to each packet: Ethernet 14, VXLAN 8, UDP 8 bytes, and IPv4 20 or IPv6 40 (RFC 7348, 5). */
export const VXLAN_OVERHEAD = { 4: 50, 6: 70 } as const;

/** A tunnel of the kernel's own as a port, as `vxlan-ensure` makes one. */
const VTEP = /^vtep\d+$/;

/** The bridges that packets reach a tunnel from, be it over patches and other bridges. */
export function tunnelBridges(db: Pick<Switch, "table">): Set<string> {
  const reached = new Set<string>();
  const homes = new Map<string, string>();
  const patches: { readonly bridge: string; readonly peer: string }[] = [];
  // Most switches have none, and some have thousands of ports.
  if (![...db.table("Interface")].some(isTunnel)) return reached;
  for (const bridge of db.table("Bridge"))
    for (const uuid of bridge.ports)
      for (const link of db.table("Port").get(uuid)?.interfaces ?? []) {
        const row = db.table("Interface").get(link);
        if (row === undefined) continue;
        const { name, type, options } = row;
        if (isTunnel(row)) reached.add(bridge.name);
        if (type !== "patch") continue;
        homes.set(name, bridge.name);
        patches.push({ bridge: bridge.name, peer: options.get("peer") ?? "" });
      }
  // What comes from a bridge that reaches one goes on by it.
  for (let before = -1; before < reached.size; ) {
    before = reached.size;
    for (const { bridge, peer } of patches) if (reached.has(homes.get(peer) ?? "")) reached.add(bridge);
  }
  return reached;
}

function isTunnel({ name, type }: Pick<InterfaceRow, "name" | "type">): boolean {
  return TUNNELS.has(type) || (type === "" && VTEP.test(name));
}
