import type { NodeView } from "../api/contract.ts";

/** How far the agent is: the numbers of the state that is declared, and of that which is so. */
export interface Progress {
  readonly wanted: number;
  readonly applied: number;
}

/** How many nodes are as declared, are not yet, and cannot be. */
export interface Count {
  readonly left: number;
  readonly failed: number;
}

export function countNodes(nodes: readonly NodeView[]): Count {
  const hasFailed = ({ state, nics }: NodeView) => state === "failed" || nics.some((nic) => nic.state === "failed");
  const isOpen = (word: string) => word === "pending" || word === "starting";
  const isLeft = ({ state, nics }: NodeView) => isOpen(state) || nics.some((nic) => isOpen(nic.state));
  return {
    left: nodes.filter((node) => !hasFailed(node) && isLeft(node)).length,
    failed: nodes.filter(hasFailed).length,
  };
}

/** How the whole yard is, in words. */
export function progressText(total: number, { left, failed }: Count): string {
  const nodes = total === 1 ? "1 node" : `${total} nodes`;
  if (left > 0) return `being made so: ${left} of ${nodes} to go${failed > 0 ? `, ${failed} failed` : ""}`;
  return failed > 0 ? `${failed} of ${nodes} failed` : `${nodes}, all as declared`;
}
