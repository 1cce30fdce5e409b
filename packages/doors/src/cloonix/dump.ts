/** `dmp`: what there is, for people. */
import { portName, spyName } from "@switchyard/vswitch";
import type { NodeEntry, Rows } from "@switchyard/yard/store";
import { itemOf } from "./items.ts";

/** Items with their numbers, interfaces and ports; then the lans with the ports that are on them. */
export function dumpLines(rows: Rows): string[] {
  return [
    ...rows.nodes.flatMap((node) => [itemLine(node), ...node.nics.map((nic) => `  ${nicLine(node, nic)}`)]),
    ...rows.networks.map(({ name, type }) => {
      const ports = rows.nodes.flatMap(({ objId, nics }) =>
        nics.flatMap(({ index, network }) => (network === name ? [portName(objId, index)] : [])),
      );
      return `${type} ${name}: ${ports.join(" ")}`.trimEnd();
    }),
  ];
}

function itemLine({ name, objId, spec, status }: NodeEntry): string {
  const error = status.failure === undefined ? "" : `: ${status.failure.message}`;
  return `${itemOf(spec) ?? spec.kind} ${name} obj_id=${objId} ${status.state ?? "pending"}${error}`;
}

function nicLine({ objId }: NodeEntry, { index, mac, network, link, spy }: NodeEntry["nics"][number]): string {
  const port = portName(objId, index);
  const place = network ?? link ?? "-";
  return `${index} ${port} ${mac} ${place}${spy ? ` ${spyName(port)}` : ""}`;
}
