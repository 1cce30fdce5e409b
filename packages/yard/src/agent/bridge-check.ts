import { YardError } from "@switchyard/base";
import type { Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";

/** The networks whose bridge, which somebody else makes, the switch has not got. */
export function absentBridges(rows: Rows, has: (bridge: string) => boolean): Failure[] {
  return rows.networks.flatMap((network): Failure[] => {
    if (network.type !== "bridge" || has(network.bridge)) return [];
    const hint = `make it: yard ovs bridge-add ${network.bridge}`;
    const error = new YardError("network.bridge-absent", `the switch has no bridge ${network.bridge}`, { hint });
    return [{ subject: { kind: "network", network: network.name }, error }];
  });
}
