import { YardError } from "@switchyard/base";
import type { Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import { linkMaking } from "./desire-links.ts";
import type { HostFacts } from "./host-facts.ts";

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
