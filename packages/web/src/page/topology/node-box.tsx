import type { Node, NodeProps } from "@xyflow/react";
import { memo } from "react";
import type { NodeView } from "../api/contract.ts";
import { NicDot } from "./nic-dot.tsx";
import { NIC_PITCH } from "./scene.ts";

export type NodeBoxNode = Node<{ readonly node: NodeView }, "node">;

/** A node: its name, what it is, how it is, and its nics along the upper edge. */
export const NodeBox = memo(function NodeBox({ data: { node } }: NodeProps<NodeBoxNode>) {
  return (
    <div className={`node node-${node.state}`} data-node={node.name} data-state={node.state} title={factsOf(node)}>
      {node.nics.map((nic, at) => (
        <NicDot key={nic.name} node={node.name} nic={nic} left={nicLeft(at)} />
      ))}
      <span className="node-name">{node.name}</span>
      <span className="node-kind">
        {kindText(node)}
        <span className="node-state">{stateText(node)}</span>
      </span>
      <NodeErrors node={node} />
    </div>
  );
});

/** Of a dot's middle, in pixels from the box's left edge. */
export function nicLeft(index: number): number {
  return NIC_PITCH * (index + 0.75);
}

function NodeErrors({ node }: { node: NodeView }) {
  const errors = [node.error, ...node.nics.map(({ error }) => error)].filter((error) => error !== null);
  if (errors.length === 0) return null;
  return (
    <span className="problem" role="note">
      {errors.map(({ message }) => message).join("; ")}
    </span>
  );
}

/** What there is to know beside what the box says. */
function factsOf({ lab, image, command, ports, pid, accelerator, to }: NodeView): string {
  const facts = [
    ["lab", lab],
    ["image", image],
    ["command", command.join(" ")],
    ["ports", ports.join(" ")],
    ["pid", pid],
    ["runs by", accelerator],
    ["leads to", to],
  ];
  return facts.flatMap(([name, value]) => (value === null || value === "" ? [] : [`${name}: ${value}`])).join("\n");
}

export function kindText({ kind, runtime }: NodeView): string {
  return runtime === null ? kind : `${kind}/${runtime}`;
}

/** Nothing for what is as it should be. */
function stateText({ state, paused, exitCode, reason }: NodeView): string {
  if (state === "running") return paused ? "paused" : "";
  const how = state === "exited" ? (exitCode ?? reason) : null;
  return how === null ? state : `${state} (${how})`;
}
