/** Published ports of a host's nodes, each of which only one node can have. */
import { YardError } from "@switchyard/base";
import type { PortForward } from "../model/types.ts";
import { portKey, portsClash } from "../model/values.ts";

/** The ports that a node publishes. */
export interface Published {
  readonly node: string;
  readonly ports: readonly PortForward[];
}

/** Why a node cannot publish what it wants: another one does, by the same address, port and protocol. */
export function portsTaken(
  wanted: readonly Published[],
  present: Iterable<Published>,
): { readonly node: string; readonly error: YardError }[] {
  const holders = new Map<string, { readonly node: string; readonly port: PortForward }[]>();
  for (const { node, ports } of present)
    for (const port of ports) holders.set(portKey(port), [...(holders.get(portKey(port)) ?? []), { node, port }]);
  return wanted.flatMap(({ node, ports }) =>
    ports.flatMap((port) => {
      const other = holders.get(portKey(port))?.find((it) => portsClash(it.port.address, port.address));
      if (other === undefined) return [];
      const message = `port ${portKey(port)} of the host, which ${node} publishes, is published by ${other.node} already`;
      return [{ node, error: new YardError("port.taken", message, { hint: "take another port or address" }) }];
    }),
  );
}
