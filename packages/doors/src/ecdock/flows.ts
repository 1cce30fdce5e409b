/** A slot's flows and flags, which no database holds: the switch is told over its OpenFlow socket. */
import { run } from "@switchyard/base";
import type { EcPlace } from "./place.ts";
import type { Slot } from "./slots.ts";

/** Frames to the slot's MAC go to its port, wherever that MAC was last seen as a source. */
export async function addSlotFlow(place: EcPlace, bridge: string, { mac, ofport }: Slot): Promise<void> {
  await ofctl(place, "add-flow", bridge, `dl_dst=${mac},actions=output:${ofport}`);
}

export async function deleteSlotFlow(place: EcPlace, bridge: string, { mac }: Slot): Promise<void> {
  await ofctl(place, "del-flows", bridge, `dl_dst=${mac}`);
}

/** Keeps what is flooded from a port. */
export async function stopFlooding(place: EcPlace, bridge: string, port: string): Promise<void> {
  await ofctl(place, "mod-port", bridge, port, "no-flood");
}

/** ovs-ofctl(8). @throws YardError `command.not-found`, `command.failed` */
function ofctl({ runDir }: EcPlace, verb: string, bridge: string, ...argv: readonly string[]): Promise<string> {
  return run(["ovs-ofctl", "--timeout=10", verb, `unix:${runDir}/${bridge}.mgmt`, ...argv]);
}
