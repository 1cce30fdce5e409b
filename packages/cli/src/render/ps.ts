import type { LabView, NetworkView, NicView, NodeView, YardView } from "@switchyard/yard/view";
import { age } from "./duration.ts";
import type { Style } from "./style.ts";
import { type Column, table } from "./table.ts";

/** `yard ps`: one table of all nodes, a line for every nic, and below it what has failed. */
export function renderPs(view: YardView, now: number, style: Style): string[] {
  if (view.nodes.length === 0) return [`no nodes in yard ${view.yard}`, ...failures(view, style)];
  const out = table(columns(now, style), view.nodes, style);
  const failed = failures(view, style);
  return failed.length === 0 ? out : [...out, "", ...failed];
}

function columns(now: number, style: Style): Column<NodeView>[] {
  return [
    { heading: "lab", cell: (node) => node.lab ?? "", optional: true },
    { heading: "node", cell: (node) => style.bold(node.name) },
    { heading: "kind", cell: (node) => (node.runtime === null ? node.kind : `${node.kind}/${node.runtime}`) },
    { heading: "state", cell: (node) => stateText(node, style) },
    { heading: "network", cell: (node) => nicLines(node).map(([network]) => network) },
    { heading: "address", cell: (node) => nicLines(node).map(([, address]) => address) },
    { heading: "ports", cell: (node) => node.ports, optional: true },
    {
      heading: "up",
      cell: (node) => (node.since === null || node.state !== "running" ? "" : age(now - node.since)),
      align: "right",
    },
  ];
}

/** A line for each address of each nic; the network stands at its first. */
function nicLines(node: NodeView): (readonly [network: string, address: string])[] {
  return node.nics.flatMap((nic) => {
    const at = placeText(node.name, nic);
    const [first = "", ...rest] = nic.addresses;
    return [[at, first] as const, ...rest.map((address) => ["", address] as const)];
  });
}

/** What a nic attaches to: its network, or the far end of its wire. */
export function placeText(node: string, { name, network, link }: NicView): string {
  if (network !== null) return network;
  if (link === null) return "-";
  const far = link.split("--").find((end) => end !== `${node}:${name}`);
  return `wire ${far ?? link}`;
}

/** A node's state in its colour, with the exit code of what has ended. */
export function stateText(node: Pick<NodeView, "state" | "exitCode" | "reason" | "paused">, style: Style): string {
  const how = node.state === "exited" ? (node.exitCode ?? node.reason) : node.paused ? "paused" : node.reason;
  const text = how === null ? node.state : `${node.state} (${how})`;
  switch (node.state) {
    case "running":
      return style.green(text);
    case "failed":
    case "exited":
    case "dead":
      return style.red(text);
    default:
      return style.yellow(text);
  }
}

/** Everything that has an error, a line each. */
export function failures(view: YardView, style: Style): string[] {
  const lines = [
    ...(view.error === null ? [] : [{ at: `yard ${view.yard}`, ...view.error }]),
    ...view.bridges.flatMap(({ name, error }) => (error === null ? [] : [{ at: `bridge ${name}`, ...error }])),
    ...view.networks.flatMap(({ name, error }) => (error === null ? [] : [{ at: `network ${name}`, ...error }])),
    ...view.nodes.flatMap((node) => [
      ...(node.error === null ? [] : [{ at: node.name, ...node.error }]),
      ...node.nics.flatMap((nic) => (nic.error === null ? [] : [{ at: `${node.name}:${nic.name}`, ...nic.error }])),
    ]),
  ];
  return lines.map(({ at, code, message }) => `${style.red(`${at}:`)} ${message} ${style.dim(`[${code}]`)}`);
}

/** `yard ps --networks`. */
export function renderNetworks(networks: readonly NetworkView[], style: Style): string[] {
  const columns: Column<NetworkView>[] = [
    { heading: "lab", cell: ({ lab }) => lab ?? "", optional: true },
    { heading: "network", cell: ({ name }) => style.bold(name) },
    { heading: "type", cell: ({ type }) => type },
    { heading: "cidr", cell: ({ cidr }) => cidr },
    { heading: "gateway", cell: ({ gateway }) => gateway, optional: true },
    { heading: "bridge", cell: ({ bridge }) => bridge },
    { heading: "parent", cell: ({ parent }) => parent ?? "", optional: true },
  ];
  return networks.length === 0 ? ["no networks"] : table(columns, networks, style);
}

/** `yard ps --labs`. */
export function renderLabs(labs: readonly LabView[], nodes: readonly NodeView[], style: Style): string[] {
  const columns: Column<LabView>[] = [
    { heading: "lab", cell: ({ name }) => style.bold(name) },
    {
      heading: "state",
      cell: ({ state }) =>
        state === "up" ? style.green(state) : state === "failed" ? style.red(state) : style.yellow(state),
    },
    { heading: "nodes", cell: ({ name }) => String(nodes.filter(({ lab }) => lab === name).length), align: "right" },
    { heading: "file", cell: ({ file }) => file },
  ];
  return labs.length === 0 ? ["no labs"] : table(columns, labs, style);
}
