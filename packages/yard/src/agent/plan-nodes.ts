/** Namespaces and containers: what everything else hangs on. */
import { type Action, ownsNamespace } from "./action.ts";
import { sameContainer } from "./compare.ts";
import type { ContainerNodeState, State } from "./state.ts";
import type { Subject } from "./subject.ts";

export interface PlanOptions {
  /** Start containers that have exited, and run commands again that have failed: what `up` asks for. */
  readonly revive: boolean;
}

/** What becomes of the nodes, which the rest of the plan hangs on. */
export interface Nodes {
  /** Namespaces that are made or adopted by this plan: nothing is in them yet. */
  readonly fresh: ReadonlySet<string>;
  /** Namespaces that go away, maybe to come again: what is in them goes too. */
  readonly lost: ReadonlySet<string>;
  /** Namespaces that cannot be had now, as their container has exited: all that hangs on them stays as it is. */
  readonly dormant: ReadonlySet<string>;
  /** Nodes that begin a new life. */
  readonly reborn: ReadonlySet<string>;
  /** Nodes whose container has exited and stays so. */
  readonly asleep: ReadonlySet<string>;
}

/** Plans the namespaces and containers of nodes. */
export function planNodes(desired: State, actual: State, options: PlanOptions, actions: Action[]): Nodes {
  const fresh = new Set<string>();
  const lost = new Set<string>();
  const dormant = new Set<string>();
  const reborn = new Set<string>();
  const asleep = new Set<string>();

  /** Containers as far as they do not hang on a namespace of ours. */
  const fate = new Map<string, Fate>();
  for (const [node, container] of desired.containers) {
    const present = actual.containers.get(node);
    let next = containerFate(container, present, options);
    const wanted = desired.namespaces.get(container.namespace);
    const there = actual.namespaces.get(container.namespace);
    // What lives in a namespace of ours cannot move to another one: with a new namespace comes a new container.
    if (present && wanted && !ownsNamespace(container) && there?.container !== wanted.container) next = "remake";
    if (present && !ownsNamespace(container) && there === undefined) next = "remake";
    fate.set(node, next);
  }
  for (const [node, container] of actual.containers) {
    if (desired.containers.has(node) && fate.get(node) !== "remake") continue;
    reborn.add(node);
    actions.push({ do: "container-remove", node, container, subject: { kind: "node", node } });
  }

  for (const [name, namespace] of desired.namespaces) {
    const node = namespace.node;
    const present = actual.namespaces.get(name);
    const own = namespace.container === undefined ? undefined : fate.get(namespace.container);
    if (own === "sleep") {
      dormant.add(name);
      continue;
    }
    const moves = own === "start" || own === "remake";
    if (present && present.container === namespace.container && !moves) continue;
    if (present) {
      lost.add(name);
      actions.push({ do: "namespace-delete", namespace: name, subject: { kind: "node", node } });
    }
    fresh.add(name);
    reborn.add(node);
    const how = namespace.container === undefined ? "namespace-create" : "namespace-adopt";
    actions.push({ do: how, namespace: name, node, subject: { kind: "node", node } });
  }
  for (const [name, namespace] of actual.namespaces) {
    if (desired.namespaces.has(name)) continue;
    lost.add(name);
    actions.push({ do: "namespace-delete", namespace: name, subject: { kind: "node", node: namespace.node } });
  }

  for (const [node, container] of desired.containers) {
    const subject: Subject = { kind: "node", node };
    const next = fate.get(node);
    if (next === "sleep") asleep.add(node);
    if (next === "stop") actions.push({ do: "container-stop", node, container, grace: container.grace ?? 0, subject });
    if (next === "remake") actions.push({ do: "container-create", node, container, subject });
    if (container.status === "running" && (next === "remake" || next === "start")) {
      reborn.add(node);
      actions.push({ do: "container-start", node, container, subject });
    }
  }
  return { fresh, lost, dormant, reborn, asleep };
}

/** `remake` also when there is none; `sleep` leaves an exited one alone. */
type Fate = "keep" | "start" | "stop" | "remake" | "sleep";

function containerFate(
  wanted: ContainerNodeState,
  present: ContainerNodeState | undefined,
  options: PlanOptions,
): Fate {
  if (present === undefined || !sameContainer(wanted, present)) return "remake";
  if (wanted.status !== "running") return present.status === "running" ? "stop" : "keep";
  switch (present.status) {
    case "running":
      return "keep";
    case "created":
      return "start";
    case "exited":
      return options.revive ? "start" : "sleep";
  }
}
