import type { Link, NamespaceView } from "@switchyard/linux";
import { isMarked } from "./mark.ts";
import { nameOf } from "./observe-host.ts";

/**
 * What a NIC of the host is used for, so that it would be missed; undefined: for nothing.
 *
 * @param host the view of the host's own namespace
 * @param uplinks the links that a default route of the host leaves by
 */
export function useOf(link: Link, host: NamespaceView, uplinks: readonly string[]): string | undefined {
  if (link.name === "lo") return "it is the host's loopback";
  if (isMarked(link.alias)) return "a yard made it, or has it";
  if (uplinks.includes(link.name)) return "a default route of the host leaves by it";
  if (link.master !== 0) return `it is a member of ${nameOf(host, link.master)}`;
  const address = link.addresses.find((it) => !it.address.startsWith("fe80:"))?.address;
  if (address !== undefined) return `the host has the address ${address} on it`;
  if (link.kind === "bridge") return "it is a bridge itself";
  // bond_setup() in drivers/net/bonding/bond_main.c: NETIF_F_NETNS_LOCAL.
  if (link.kind === "bond") return "it is a bond, which the kernel keeps in its namespace";
  const upper = [...host.links.values()].find((other) => other.parent === link.index);
  return upper === undefined ? undefined : `${upper.name} is a ${upper.kind} of it`;
}
