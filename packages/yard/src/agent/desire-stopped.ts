/** What is kept of a node that is stopped: what was written in it. */
import type { NodeEntry } from "../store/rows.ts";
import { ownsNamespace } from "./action.ts";
import { containerState } from "./desire-container.ts";
import { nodeFiles } from "./desire-files.ts";
import type { NodeStates } from "./desire-plain.ts";
import type { HostFacts } from "./host-facts.ts";
import { nodeNamespace } from "./names.ts";

/** Whether a node is out of its networks: a virtual machine keeps its nics, whose cables are dead while it is off. */
export function isAway({ stopped, spec }: NodeEntry): boolean {
  return stopped !== undefined && spec.kind !== "vm";
}

/** Milliseconds that a node which is stopped has for ending, as its state has it. */
export function stoppedState({ stopped }: NodeEntry) {
  return stopped === undefined ? {} : ({ status: "exited", grace: stopped * 1000 } as const);
}

/**
 * Adds what stays of a node that is away: a container, not running. One that lives in a namespace of ours can go on in
 * that alone, so it stays too, with no nics in it.
 */
export function addAway(node: NodeEntry, facts: HostFacts, into: NodeStates): void {
  const { spec, name } = node;
  if (spec.kind !== "container") return;
  const namespace = nodeNamespace(facts.yard, name);
  into.containers.set(name, { ...containerState(node, spec, facts), ...stoppedState(node) });
  if (!ownsNamespace(spec))
    into.namespaces.set(namespace, { node: name, routes: [], sysctls: {}, container: undefined });
  for (const [path, file] of nodeFiles(node, facts)) into.files.set(path, file);
}
