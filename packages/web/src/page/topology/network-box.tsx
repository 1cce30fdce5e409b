import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import type { NetworkView } from "../api/contract.ts";
import { useAtWork } from "./at-work.ts";

export type NetworkBoxNode = Node<{ readonly network: NetworkView }, "network">;

/** A network: a bar that lines end at, and can be dropped on. */
export const NetworkBox = memo(function NetworkBox({ data: { network } }: NodeProps<NetworkBoxNode>) {
  const isAtWork = useAtWork(`network ${network.name}`);
  return (
    <div
      className={`network network-${network.state}`}
      data-network={network.name}
      data-state={network.state}
      data-at-work={isAtWork}
    >
      <Handle type="target" position={Position.Bottom} id="network" className="network-target" />
      <span className="network-name">{network.name}</span>
      <span className="network-facts">{networkText(network)}</span>
      {network.error === null ? null : (
        <span className="problem" role="note">
          {network.error.message}
        </span>
      )}
    </div>
  );
});

/** What kind of network, with its VLAN or VNI, and its subnets. */
export function networkText({ type, cidr, id, parent }: NetworkView): string {
  const number = id === null ? "" : type === "vxlan" ? `vni ${id}` : `vlan ${id}`;
  return [type === "vlan" || type === "vxlan" ? number : type, ...cidr, parent ?? ""]
    .filter((part) => part)
    .join(" · ");
}
