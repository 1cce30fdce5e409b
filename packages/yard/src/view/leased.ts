import type { YardPaths } from "../agent/paths.ts";
import type { NodeView, YardView } from "./types.ts";

/** The nodes with what those of kind nat have leased. */
export async function withLeased(
  { run }: Pick<YardPaths, "run">,
  view: YardView,
  nodes: readonly NodeView[],
): Promise<readonly NodeView[]> {
  if (!nodes.some(({ kind }) => kind === "nat")) return nodes;
  const [{ natLeasesFile }, { readNatLeases }] = await Promise.all([
    import("../agent/desire-nat-node.ts"),
    import("../agent/nat-leases.ts"),
  ]);
  const holders = new Map(view.nodes.flatMap(({ name, nics }) => nics.map(({ mac }): [string, string] => [mac, name])));
  return nodes.map((node) => {
    if (node.kind !== "nat") return node;
    const leased = readNatLeases(natLeasesFile(run, view.yard, node.name)).map(({ address, mac, name, expires }) => ({
      address,
      node: (mac === undefined ? undefined : holders.get(mac)) ?? null,
      mac: mac ?? null,
      name: name ?? null,
      expires: new Date(expires).toISOString(),
    }));
    return { ...node, leased };
  });
}
