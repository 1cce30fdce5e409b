/** What becomes of spies and their devices. Pure. */
import type { Action } from "./action.ts";
import { sameMirror } from "./compare.ts";
import type { State } from "./state.ts";
import { parsePurpose } from "./subject.ts";

/** What the plan makes of the ports. */
interface Ports {
  /** Those that are made anew. */
  readonly renewed: ReadonlySet<string>;
  /** Namespaces that cannot be had now: what hangs on them stays as it is. */
  readonly dormant: ReadonlySet<string>;
}

export function planSpies(desired: State, actual: State, ports: Ports, actions: Action[]): void {
  const renewed = planSinks(desired, actual, actions);
  for (const [mirror, present] of actual.mirrors)
    if (!desired.mirrors.has(mirror))
      actions.push({ do: "mirror-delete", mirror, subject: parsePurpose(present.purpose) });
  for (const [mirror, state] of desired.mirrors) {
    const veth = desired.veths.get(state.port);
    if (veth && ports.dormant.has(veth.namespace)) continue;
    const present = actual.mirrors.get(mirror);
    const fresh = renewed.has(mirror) || ports.renewed.has(state.port);
    if (present === undefined || fresh || !sameMirror(state, present))
      actions.push({ do: "mirror-set", mirror, state, subject: parsePurpose(state.purpose) });
  }
}

/** @returns the spies whose device is made anew, and so they too */
function planSinks(desired: State, actual: State, actions: Action[]): Set<string> {
  for (const [sink, present] of actual.sinks)
    if (!desired.sinks.has(sink)) actions.push({ do: "sink-delete", sink, subject: parsePurpose(present.purpose) });
  const renewed = new Set<string>();
  for (const [sink, { purpose }] of desired.sinks) {
    const subject = parsePurpose(purpose);
    const present = actual.sinks.get(sink);
    if (present === undefined) {
      if (actual.mirrors.has(sink) && desired.mirrors.has(sink)) {
        renewed.add(sink);
        actions.push({ do: "mirror-delete", mirror: sink, renewed: true, subject });
      }
      actions.push({ do: "sink-create", sink, purpose, subject });
    } else if (!present.up) actions.push({ do: "sink-set", sink, subject });
  }
  return renewed;
}
