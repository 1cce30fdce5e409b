import { spyName } from "@switchyard/vswitch";
import type { NodeEntry } from "../store/rows.ts";
import { nicPort } from "./names.ts";
import type { MirrorState, PortState, SinkState, State } from "./state.ts";

/**
 * The spies of nics that are told to have one, or that somebody captures from: of every kind of node, as all have their
 * port by the same rule. A nic that is plugged into nothing has no port, and so nothing to look at.
 */
export function desireSpies(
  nodes: readonly NodeEntry[],
  ports: ReadonlyMap<string, PortState>,
  captured: ReadonlySet<string>,
): Pick<State, "mirrors" | "sinks"> {
  const mirrors = new Map<string, MirrorState>();
  const sinks = new Map<string, SinkState>();
  for (const node of nodes) {
    for (const nic of node.nics) {
      const port = nicPort(node, nic.index);
      const state = ports.get(port);
      if (state === undefined || !(nic.spy || captured.has(port))) continue;
      const { bridge, tag, trunks, vlanMode, purpose } = state;
      const name = spyName(port);
      mirrors.set(name, { bridge, port, tag, trunks, vlanMode, purpose });
      sinks.set(name, { up: true, purpose });
    }
  }
  return { mirrors, sinks };
}
