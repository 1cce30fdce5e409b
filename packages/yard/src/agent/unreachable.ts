import type { Failure } from "./blame.ts";
import { engineId } from "./engines.ts";
import type { Observation } from "./observe.ts";
import type { State } from "./state.ts";
import { parsePurpose } from "./subject.ts";

/**
 * Leaves nodes alone whose engine does not answer: nothing is known of them, so what shall be of them is what is, and
 * the engine's silence is their failure.
 */
export function withoutUnreachable(
  wanted: State,
  { state: actual, failures }: Observation,
): { readonly desired: State; readonly actual: State; readonly failures: Failure[] } {
  const silent = new Map<string, Failure>();
  for (const [node, container] of wanted.containers) {
    const error = failures.get(engineId(container));
    if (error) silent.set(node, { subject: { kind: "node", node }, error });
  }
  if (silent.size === 0) return { desired: wanted, actual, failures: [] };
  const ofPurpose = ({ purpose }: { readonly purpose: string }) => {
    const subject = parsePurpose(purpose);
    return "node" in subject ? subject.node : "";
  };
  const asIs = <V>(
    shall: ReadonlyMap<string, V>,
    is: ReadonlyMap<string, V>,
    node: (value: V, key: string) => string,
  ) => {
    const kept = [...shall].filter(([key, value]) => !silent.has(node(value, key)));
    return new Map([...kept, ...[...is].filter(([key, value]) => silent.has(node(value, key)))]);
  };
  const key = (_value: unknown, name: string) => name;
  return {
    desired: {
      ...wanted,
      ports: asIs(wanted.ports, actual.ports, ofPurpose),
      mirrors: asIs(wanted.mirrors, actual.mirrors, ofPurpose),
      sinks: asIs(wanted.sinks, actual.sinks, ofPurpose),
      veths: asIs(wanted.veths, actual.veths, ofPurpose),
      pipes: asIs(wanted.pipes, actual.pipes, ofPurpose),
      links: asIs(wanted.links, actual.links, ofPurpose),
      namespaces: asIs(wanted.namespaces, actual.namespaces, ({ node }) => node),
      containers: asIs(wanted.containers, actual.containers, key),
      exec: asIs(wanted.exec, actual.exec, key),
    },
    actual,
    failures: [...silent.values()],
  };
}
