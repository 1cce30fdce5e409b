/** What becomes of virtual machines and of the tap devices of their nics. Pure. */
import type { Action } from "./action.ts";
import { samePlace, sameTap, sameVmNic } from "./compare.ts";
import type { PlanOptions } from "./plan-nodes.ts";
import type { MachineState, State } from "./state.ts";
import { parsePurpose, type Subject } from "./subject.ts";

export function planMachines(desired: State, actual: State, options: PlanOptions, actions: Action[]): void {
  for (const node of actual.machines.keys()) {
    if (!desired.machines.has(node)) actions.push({ do: "machine-remove", node, subject: { kind: "node", node } });
  }
  for (const [node, machine] of desired.machines) {
    const subject: Subject = { kind: "node", node };
    const present = actual.machines.get(node);
    if (present?.fingerprint !== machine.fingerprint) {
      if (present) actions.push({ do: "machine-remove", node, subject });
      actions.push({ do: "machine-create", node, machine, subject });
      if (machine.status === "running") actions.push({ do: "machine-start", node, subject });
      continue;
    }
    planNics(node, machine, present, desired, actual, actions);
    if (machine.status !== "running") {
      if (present.status === "running") actions.push({ do: "machine-stop", node, grace: machine.grace ?? 0, subject });
      continue;
    }
    // One that has ended by itself stays so, as a container does.
    if (present.status === "created" || (present.status === "exited" && options.revive))
      actions.push({ do: "machine-start", node, subject });
  }
}

function planNics(
  node: string,
  machine: MachineState,
  present: MachineState,
  desired: State,
  actual: State,
  actions: Action[],
): void {
  // What cannot be unplugged is the node's trouble: the nic itself may have no row any more.
  const subject: Subject = { kind: "node", node };
  // The machine holds on to a device that is gone, whatever comes in its place.
  const fits = present.nics.filter(
    (nic) => stays(nic.tap, desired, actual) && machine.nics.some((wanted) => sameVmNic(wanted, nic)),
  );
  for (const nic of present.nics)
    if (!fits.includes(nic)) actions.push({ do: "machine-unplug", node, index: nic.index, subject });
  for (const nic of machine.nics)
    if (!fits.some(({ index }) => index === nic.index)) {
      const purpose = desired.taps.get(nic.tap)?.purpose;
      const own = purpose === undefined ? subject : parsePurpose(purpose);
      actions.push({ do: "machine-plug", node, nic, subject: own });
    }
}

/** Whether a device is there and need not be made anew: one goes from one bridge to another as it is. */
function stays(tap: string, desired: State, actual: State): boolean {
  const wanted = desired.taps.get(tap)?.place;
  const present = actual.taps.get(tap)?.place;
  if (wanted === undefined || present === undefined) return false;
  return samePlace(wanted, present) || (wanted.kind === "bridged" && present.kind === "bridged");
}

/** @returns those that are made anew though the switch has a port of that name */
export function planTaps(desired: State, actual: State, actions: Action[]): string[] {
  for (const [tap, present] of actual.taps) {
    const { place } = present;
    if (!stays(tap, desired, actual))
      actions.push({ do: "tap-delete", tap, place, subject: parsePurpose(present.purpose) });
  }
  const renewed: string[] = [];
  for (const [tap, state] of desired.taps) {
    const present = actual.taps.get(tap);
    const subject = parsePurpose(state.purpose);
    if (present === undefined || !stays(tap, desired, actual)) {
      if (actual.ports.has(tap) && desired.ports.has(tap)) {
        renewed.push(tap);
        actions.push({ do: "port-delete", port: tap, renewed: true, subject });
      }
      actions.push({ do: "tap-create", tap, state, subject });
    } else if (!sameTap(state, present)) actions.push({ do: "tap-set", tap, state, subject });
  }
  return renewed;
}
