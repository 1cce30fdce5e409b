import { Handle, type Position } from "@xyflow/react";
import { memo } from "react";
import type { NicView } from "../api/contract.ts";
import { rateText, useRate } from "../plot/rates.ts";
import { usePage } from "../state/page.ts";
import { openPanel } from "../state/panels.ts";
import { openMenu } from "./menu-state.ts";

/** A nic: a dot that says whether it is up, spied on and in use, and from which a line can be drawn. */
export const NicDot = memo(function NicDot(props: {
  node: string;
  nic: NicView;
  left: number;
  side: Position.Top | Position.Bottom;
}) {
  const { node, nic, left, side } = props;
  const { panels, role } = usePage();
  const rate = useRate(node, nic.name);
  const traffic =
    rate === undefined ? "" : `${rate.outFrames > 0 ? "out " : ""}${rate.inFrames > 0 ? "in" : ""}`.trim();
  return (
    <Handle
      type="source"
      position={side}
      id={nic.name}
      className={`nic nodrag nic-${nic.state}`}
      style={{ left }}
      data-nic={`${node}:${nic.name}`}
      data-state={nic.state}
      data-on={nic.network}
      data-spied={nic.spy !== null}
      data-impaired={nic.impair !== null && nic.impair.by !== null}
      data-traffic={traffic}
      title={nicText(node, nic, rate === undefined ? "" : rateText(rate))}
      onDoubleClick={(event) => {
        event.stopPropagation();
        if (role.get() === "operate")
          panels.update((open) => openPanel(open, { kind: "capture", node, nic: nic.name }));
      }}
      onContextMenu={(event) => openMenu(event, { kind: "nic", node, nic: nic.name })}
    />
  );
});

/** A nic in words. */
function nicText(node: string, nic: NicView, rate: string): string {
  const parts = [
    `${node}:${nic.name} ${nic.state}`,
    nic.addresses.join(" "),
    nic.mac,
    nic.vlan === null ? "" : `vlan ${nic.vlan}`,
    nic.trunks.length === 0 ? "" : `trunks ${nic.trunks.join(" ")}`,
    nic.spy === null ? "" : `spied on as ${nic.spy}`,
    nic.impair === null ? "" : "impaired",
    rate,
    nic.error === null ? "" : nic.error.message,
  ];
  return parts.filter((part) => part !== "").join("\n");
}
