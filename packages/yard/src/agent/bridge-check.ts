import { YardError } from "@switchyard/base";
import type { Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import { linkMaking } from "./desire-links.ts";
import type { HostFacts } from "./host-facts.ts";

/**
 * Whether a network rests on a bridge of somebody else's that the replica does not show. It may be there all the same:
 * made just before the network was declared, by a command that told the switch's database, which is another one.
 */
export function lacksBridge({ networks }: Rows, has: (bridge: string) => boolean): boolean {
  const declared = new Set(networks.map(({ name }) => name));
  return networks.some((network) => {
    if (network.type === "bridge") return !has(network.bridge);
    const master = network.type === "vlan" || network.type === "vxlan" ? network.master : undefined;
    return master !== undefined && !declared.has(master) && !has(master);
  });
}

/** The networks whose bridge neither the switch nor the host has got. */
export function absentBridges(
  rows: Rows,
  facts: Pick<HostFacts, "host" | "kernelBridges">,
  has: (bridge: string) => boolean,
): Failure[] {
  return rows.networks.flatMap((network): Failure[] => {
    if (network.type !== "bridge" || has(network.bridge)) return [];
    if (linkMaking(network, rows.bridges, facts) !== undefined) return [];
    const hint = `make it: yard ovs bridge-add ${network.bridge}, or yard bridge create ${network.bridge}`;
    const error = new YardError("network.bridge-absent", `there is no bridge ${network.bridge}`, { hint });
    return [{ subject: { kind: "network", network: network.name }, error }];
  });
}
