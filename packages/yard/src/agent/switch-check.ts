import { YardError } from "@switchyard/base";
import { checkPorts } from "@switchyard/vswitch";
import type { Blame } from "./blame.ts";
import { switchPatience } from "./patience.ts";
import type { Site } from "./site.ts";
import type { State } from "./state.ts";
import { parsePurpose } from "./subject.ts";

/**
 * Blames the ports that the switch has not got, though its database has them: also those that an agent before this one
 * asked for, or whose device was made anew.
 *
 * @param lives whether a node runs: the devices of others are not there
 * @param patient whether something has been changed, so that the switch may yet be at it
 */
export async function checkSwitch(
  site: Site,
  desired: State,
  lives: (node: string) => boolean,
  blame: Blame,
  patient: boolean,
): Promise<void> {
  const subjectOf = (port: string) => parsePurpose(desired.ports.get(port)?.purpose ?? "");
  const concerns = (port: string) => {
    const subject = subjectOf(port);
    return !blame.blocks(subject) && (subject.kind !== "nic" || lives(subject.node));
  };
  const hopeless = blame.failures().some(({ error }) => error.code.startsWith("switch."));
  const { taken, failures } = await checkPorts(site.vswitch, desired.ports.keys(), {
    ...{ signal: site.signal, timeout: patient && !hopeless ? switchPatience() : 0, concerns },
  });
  const error = (code: string, message: string) =>
    taken
      ? new YardError(code, message)
      : new YardError("switch.not-answering", "the switch has not taken it", {
          hint: "see whether ovs-vswitchd runs, and what its log file says",
        });
  for (const { name, code, message } of failures) blame.add(subjectOf(name), error(code, message), code);
  if (patient && !taken) blame.add({ kind: "yard" }, error("", ""), "switch.not-answering");
}
