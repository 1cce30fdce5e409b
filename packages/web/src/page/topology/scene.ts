/** What the picture of a yard consists of: boxes for networks and nodes, with a dot for each nic, and lines between them. */
import type { NetworkView, NodeView, YardView } from "../api/contract.ts";

export interface Scene {
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
}

export type Box =
  | { readonly id: string; readonly kind: "network"; readonly network: NetworkView; readonly size: Size }
  | { readonly id: string; readonly kind: "node"; readonly node: NodeView; readonly size: Size };

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** From a nic to its network, along a wire to another nic, or from a VLAN to the network that it is one of. */
export interface Line {
  readonly id: string;
  readonly kind: "attachment" | "wire" | "vlan";
  readonly from: { readonly box: string; readonly nic: string | undefined };
  readonly to: { readonly box: string; readonly nic: string | undefined };
}

/** Pixels. */
export const NETWORK_SIZE: Size = { width: 190, height: 58 };
const NODE_HEIGHT = 62;
const NODE_WIDTH_MIN = 152;
/** From dot to dot. */
export const NIC_PITCH = 26;
const CHARACTER = 8;

function networkId(name: string): string {
  return `network:${name}`;
}

function nodeId(name: string): string {
  return `node:${name}`;
}

/** What stands in the picture. Networks come first, each in the yard's order. */
export function sceneOf(view: Pick<YardView, "networks" | "nodes">): Scene {
  const networks = view.networks.map(
    (network): Box => ({ id: networkId(network.name), kind: "network", network, size: NETWORK_SIZE }),
  );
  const nodes = view.nodes.map((node): Box => ({ id: nodeId(node.name), kind: "node", node, size: nodeSize(node) }));
  return { boxes: [...networks, ...nodes], lines: linesOf(view) };
}

function nodeSize({ name, nics }: NodeView): Size {
  const width = Math.max(NODE_WIDTH_MIN, NIC_PITCH * (nics.length + 1), name.length * CHARACTER + 48);
  return { width, height: NODE_HEIGHT };
}

function linesOf({ networks, nodes }: Pick<YardView, "networks" | "nodes">): Line[] {
  const known = new Set(networks.map(({ name }) => name));
  const ends = nodes.flatMap((node) => node.nics.map((nic) => ({ box: nodeId(node.name), nic: nic.name, of: nic })));
  const attachments = ends.flatMap(({ box, nic, of: { network } }): Line[] => {
    if (network === null || !known.has(network)) return [];
    return [
      { id: `${box}:${nic}`, kind: "attachment", from: { box, nic }, to: { box: networkId(network), nic: undefined } },
    ];
  });
  const wires = Map.groupBy(
    ends.filter(({ of: { link } }) => link !== null),
    ({ of: { link } }) => link ?? "",
  );
  const vlans = networks.flatMap(({ name, master }): Line[] => {
    if (master === null || !known.has(master)) return [];
    const [from, to] = [networkId(name), networkId(master)].map((box) => ({ box, nic: undefined }));
    return from && to ? [{ id: `vlan:${name}`, kind: "vlan", from, to }] : [];
  });
  return [
    ...vlans,
    ...attachments,
    ...[...wires].flatMap(([name, [from, to]]): Line[] =>
      from && to
        ? [
            {
              id: `wire:${name}`,
              kind: "wire",
              from: { box: from.box, nic: from.nic },
              to: { box: to.box, nic: to.nic },
            },
          ]
        : [],
    ),
  ];
}
