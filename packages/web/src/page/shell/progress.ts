import type { NodeView } from "../api/contract.ts";

/** How far the agent is: the numbers of the state that is declared, and of that which is so. */
export interface Progress {
  readonly wanted: number;
  readonly applied: number;
}

/** Whether the agent has come to an end with a node, good or bad. */
export function isSettled({ state, nics }: NodeView): boolean {
  const isOpen = (word: string) => word === "pending" || word === "starting";
  return !isOpen(state) && nics.every((nic) => !isOpen(nic.state));
}
