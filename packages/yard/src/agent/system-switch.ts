/** The host's own Open vSwitch, which the system yard works on and never starts or stops. */
import { connect } from "node:net";
import { YardError } from "@switchyard/base";
import { userspaceTso } from "@switchyard/vswitch";
import { SYSTEM_SWITCH, SYSTEM_YARD } from "./paths.ts";

/**
 * For the system yard, that the host's switch can be reached, before anything is made that would be left behind.
 *
 * @throws YardError `switch.system-absent`
 */
export async function requireSystemSwitch(yard: string): Promise<void> {
  const absence = yard === SYSTEM_YARD ? await systemSwitchAbsence() : undefined;
  if (absence) throw absence;
}

/** Why the host's switch cannot be reached; undefined when it can. */
export async function systemSwitchAbsence(): Promise<YardError | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(SYSTEM_SWITCH.replace(/^unix:/, ""));
  socket.once("connect", resolve).once("error", reject);
  try {
    await promise;
    return undefined;
  } catch (cause) {
    return new YardError("switch.system-absent", "the host's own Open vSwitch does not run", {
      cause,
      where: SYSTEM_SWITCH,
      hint: "start it: sudo systemctl start openvswitch-switch; or use a private yard: leave --system out",
    });
  } finally {
    socket.destroy();
  }
}

/**
 * Whether a yard's switch finishes what nics leave to it, checksums and segments: the kernel's datapath does, and a
 * userspace one with userspace TSO, as every switch of ours has. The host's may have been started anew without.
 *
 * @param known what holds while the host's switch is not there to be asked
 */
export function finishesPackets(yard: string, datapath: string, known = true): boolean {
  return yard !== SYSTEM_YARD || datapath === "system" || (userspaceTso() ?? known);
}
