import type { Counters } from "@switchyard/vswitch";
import { LINK_WAYS, NIC_WAYS } from "@switchyard/yard/impair";
import type { NicView, NodeView, YardView } from "@switchyard/yard/view";
import { age } from "./duration.ts";
import { renderImpair } from "./impair.ts";
import { placeText, stateText } from "./ps.ts";
import type { Style } from "./style.ts";
import { type Column, pairs, table } from "./table.ts";

/** `yard inspect`: all there is to know about a node. */
export function renderNode(view: YardView, node: NodeView, now: number, style: Style): string[] {
  const text = (value: number | string | null) => (value === null ? undefined : String(value));
  return [
    ...pairs(
      [
        ["node", style.bold(node.name)],
        ["lab", text(node.lab)],
        ["kind", node.runtime === null ? node.kind : `${node.kind}/${node.runtime}`],
        ["state", stateText(node, style)],
        [
          "up",
          node.since === null ? undefined : `${age(now - node.since)}, since ${new Date(node.since).toISOString()}`,
        ],
        ["error", node.error === null ? undefined : style.red(`${node.error.message} [${node.error.code}]`)],
        ["image", text(node.image)],
        ["runs by", text(node.accelerator)],
        ["command", node.command.join(" ")],
        ["ports", node.ports.join(", ")],
        ["pid", text(node.pid)],
        ["obj_id", String(node.objId)],
        ["leads to", text(node.to)],
        ["subnets", node.subnets.join(", ")],
        ["namespace", node.namespace],
        ["datapath", datapathText(view.datapath)],
      ],
      style,
    ),
    "",
    ...renderNics(node.name, node.nics, style),
    ...renderLeases(node.nics, now, style),
    ...renderLeased(node.leased, now, style),
    ...renderCounters(node.nics, style),
    ...renderImpaired(view, node, style),
  ];
}

function renderNics(node: string, nics: readonly NicView[], style: Style): string[] {
  if (nics.length === 0) return ["no nics"];
  return table(
    [
      { heading: "nic", cell: ({ name }) => style.bold(name) },
      { heading: "network", cell: (nic) => placeText(node, nic) },
      { heading: "address", cell: ({ addresses }) => addresses },
      { heading: "mac", cell: ({ mac }) => mac },
      { heading: "mtu", cell: ({ mtu }) => (mtu === null ? "" : String(mtu)), optional: true, align: "right" },
      { heading: "vlan", cell: vlanText, optional: true },
      { heading: "port", cell: ({ port }) => port },
      { heading: "bridge", cell: ({ bridge }) => bridge },
      { heading: "parent", cell: ({ parent }) => parent ?? "", optional: true },
      {
        heading: "ofport",
        cell: ({ ofport }) => (ofport === null ? "" : String(ofport)),
        optional: true,
        align: "right",
      },
      { heading: "spy", cell: ({ spy }) => spy ?? "", optional: true },
      { heading: "error", cell: ({ error }) => (error === null ? "" : style.red(error.message)), optional: true },
    ],
    nics,
    style,
  );
}

/** What DHCP servers have granted. */
function renderLeases(nics: readonly NicView[], now: number, style: Style): string[] {
  const leased = nics.filter(({ dhcp }) => dhcp);
  if (leased.length === 0) return [];
  return [
    "",
    ...table(
      [
        { heading: "dhcp", cell: ({ name }) => style.bold(name) },
        { heading: "lease", cell: ({ lease }) => lease?.address ?? style.yellow("none yet") },
        { heading: "server", cell: ({ lease }) => lease?.server ?? "" },
        { heading: "expires", cell: ({ lease }) => (lease === null ? "" : expiryText(lease.expires, now)) },
      ],
      leased,
      style,
    ),
  ];
}

/** What a nat has granted, to whom. */
function renderLeased(leased: NodeView["leased"], now: number, style: Style): string[] {
  if (leased === null) return [];
  if (leased.length === 0) return ["", "nothing leased"];
  return [
    "",
    ...table(
      [
        { heading: "leased", cell: ({ address }) => style.bold(address) },
        { heading: "to", cell: ({ node, name }) => node ?? name ?? "" },
        { heading: "mac", cell: ({ mac }) => mac ?? "" },
        { heading: "expires", cell: ({ expires }) => expiryText(expires, now) },
      ],
      leased,
      style,
    ),
  ];
}

function expiryText(expires: string, now: number): string {
  const left = Date.parse(expires) - now;
  return left > 0 ? `in ${age(left)}` : "due";
}

/** Of the ports of monitored nics, as the switch counts: `rx` is what the nic has sent. */
function renderCounters(nics: readonly NicView[], style: Style): string[] {
  const monitored = nics.filter(({ monitor }) => monitor);
  if (monitored.length === 0) return [];
  const count = (heading: string, of: (counters: Counters) => number): Column<NicView> => ({
    heading,
    cell: ({ counters }) => (counters === null ? "-" : String(of(counters))),
    align: "right",
  });
  return [
    "",
    ...table(
      [
        { heading: "port", cell: ({ name, port }) => `${style.bold(name)} ${port}` },
        count("rx packets", ({ rxPackets }) => rxPackets),
        count("bytes", ({ rxBytes }) => rxBytes),
        count("dropped", ({ rxDropped }) => rxDropped),
        count("errors", ({ rxErrors }) => rxErrors),
        count("tx packets", ({ txPackets }) => txPackets),
        count("bytes", ({ txBytes }) => txBytes),
        count("dropped", ({ txDropped }) => txDropped),
        count("errors", ({ txErrors }) => txErrors),
      ],
      monitored,
      style,
    ),
  ];
}

/** What befalls the frames of the nics, and of the links that end here. */
function renderImpaired(view: YardView, node: NodeView, style: Style): string[] {
  if (node.kind === "a2b") return ["", ...renderImpair(node.name, node.impair, LINK_WAYS, style)];
  const links = new Map(view.links.map((link) => [link.name, link.impair]));
  const lines = node.nics.flatMap((nic) => {
    if (nic.impair) return renderImpair(nic.name, nic.impair, NIC_WAYS, style);
    const ofLink = nic.link === null ? undefined : links.get(nic.link);
    return nic.link !== null && ofLink ? renderImpair(nic.link, ofLink, LINK_WAYS, style) : [];
  });
  return lines.length === 0 ? [] : ["", ...lines];
}

function vlanText({ vlan, trunks }: NicView): string {
  const parts = [
    ...(vlan === null ? [] : [String(vlan)]),
    ...(trunks.length === 0 ? [] : [`trunk ${trunks.join(",")}`]),
  ];
  return parts.join(" + ");
}

/** What runs the datapath, in words. */
function datapathText(datapath: string): string {
  switch (datapath) {
    case "system":
      return "system (the kernel's openvswitch module)";
    case "netdev":
      return "netdev (userspace, in ovs-vswitchd)";
    default:
      return datapath;
  }
}
