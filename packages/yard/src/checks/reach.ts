import { addressOf, type Ip, parseCidr, parseIp, YardError } from "@switchyard/base";
import type { NodeView, YardView } from "../view/types.ts";

/**
 * The address by which one node best reaches another: one on a network that both are on, else the first that the other
 * has. IPv4 stands before IPv6 in a nic's addresses.
 */
export function addressFor(from: NodeView | undefined, to: NodeView): Ip | undefined {
  return sharedAddress(from, to) ?? to.nics.flatMap(({ addresses }) => addresses.map(bare))[0];
}

/** The address of `to` on the first network or wire that both are on; undefined when there is none. */
export function sharedAddress(from: NodeView | undefined, to: NodeView): Ip | undefined {
  const places = new Set(from?.nics.filter(({ addresses }) => addresses.length > 0).map(place) ?? []);
  const nic = to.nics.find((candidate) => places.has(place(candidate)) && candidate.addresses.length > 0);
  return nic?.addresses.map(bare)[0];
}

/**
 * What a check's `to` means: a node of the yard, or an IP address.
 *
 * @throws YardError `check.bad-target`, `node.no-address`
 */
export function resolveTarget(view: YardView, from: string, to: string): Ip {
  const source = view.nodes.find(({ name }) => name === from);
  const target = view.nodes.find(({ name }) => name === to);
  if (target !== undefined) {
    const address = addressFor(source, target);
    if (address !== undefined) return address;
    throw new YardError("node.no-address", `node ${to} has no IP address`, { hint: "give one of its nics an ip" });
  }
  try {
    return parseIp(to);
  } catch (cause) {
    throw new YardError("check.bad-target", `"${to}" is neither a node of the yard nor an IP address`, { cause });
  }
}

function place({ network, link }: { readonly network: string | null; readonly link: string | null }): string {
  return network === null ? `link ${link}` : `network ${network}`;
}

function bare(cidr: string): Ip {
  return addressOf(parseCidr(cidr));
}
