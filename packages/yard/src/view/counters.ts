import { readCounters } from "@switchyard/vswitch";
import { switchRemote, type YardPaths } from "../agent/paths.ts";
import type { NodeView } from "./types.ts";

/** The nodes with the counters of the nics that are monitored; the switch is asked only where there are such. */
export async function withCounters(
  paths: YardPaths,
  nodes: readonly NodeView[],
  signal: AbortSignal,
): Promise<readonly NodeView[]> {
  const ports = new Set(nodes.flatMap(({ nics }) => nics.flatMap(({ monitor, port }) => (monitor ? [port] : []))));
  if (ports.size === 0) return nodes;
  const counters = await readCounters(switchRemote(paths), ports, { signal, timeout: 5_000 });
  return nodes.map((node) => ({
    ...node,
    nics: node.nics.map((nic) => ({ ...nic, counters: (nic.monitor && counters.get(nic.port)) || null })),
  }));
}
