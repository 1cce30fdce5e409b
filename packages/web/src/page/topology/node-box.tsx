import { type Node, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import type { NodeView } from "../api/contract.ts";
import { useAtWork } from "./at-work.ts";
import { nicLeft } from "./lines.ts";
import { NicDot } from "./nic-dot.tsx";

/** `below`: the nics whose dots are at the lower edge. */
export type NodeBoxNode = Node<{ readonly node: NodeView; readonly below: readonly string[] }, "node">;

/** A node: its name, what it is, how it is, and its nics along its edges. */
export const NodeBox = memo(function NodeBox({ data: { node, below } }: NodeProps<NodeBoxNode>) {
  const isAtWork = useAtWork(`node ${node.name}`);
  return (
    <div
      className={`node node-${node.state}`}
      data-node={node.name}
      data-state={node.state}
      data-at-work={isAtWork}
      title={factsOf(node)}
    >
      {node.nics.map((nic, at) => (
        <NicDot
          key={nic.name}
          node={node.name}
          nic={nic}
          left={nicLeft(at)}
          side={below.includes(nic.name) ? Position.Bottom : Position.Top}
        />
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
function stateText({ state, paused, exitCode, reason, impair }: NodeView): string {
  if (state === "running") return paused ? "paused" : impair !== null && impair.by !== null ? "impaired" : "";
  const how = state === "exited" ? (exitCode ?? reason) : null;
  return how === null ? state : `${state} (${how})`;
}
