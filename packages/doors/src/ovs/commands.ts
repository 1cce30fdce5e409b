/** The commands by name, and calling one. */
import { YardError } from "@switchyard/base";
import { bridgeAdd, bridgeDel } from "./bridges.ts";
import type { OvsCommand } from "./command.ts";
import type { OvsContext } from "./context.ts";
import { vlanEnsure, vtepDel, vtepEnsure, vxlanEnsure } from "./ensure.ts";
import { openPlace, type SwitchPlace } from "./place.ts";
import { bondAdd, portAdd, portDel } from "./ports.ts";
import { find, get, list, show } from "./reads.ts";
import { set } from "./set.ts";

/** In the order of the help. */
export const ovsCommands: readonly OvsCommand[] = [
  bridgeAdd,
  bridgeDel,
  portAdd,
  portDel,
  bondAdd,
  set,
  vlanEnsure,
  vxlanEnsure,
  vtepEnsure,
  vtepDel,
  list,
  show,
  get,
  find,
];

/**
 * The command of that name: `bridge-add`, `bridge_add`, `ovs.bridge-add` and `ovs.bridge_add` are one.
 *
 * @throws YardError `ovs.unknown-command`
 */
export function ovsCommandOf(word: string): OvsCommand {
  const name = word.replace(/^ovs\./, "").replaceAll("_", "-");
  const command = ovsCommands.find((one) => one.name === name);
  if (command !== undefined) return command;
  throw new YardError("ovs.unknown-command", `unknown command: ${word}`, {
    hint: `there are ${ovsCommands.map((one) => one.name).join(", ")}`,
  });
}

/** How a command is called. */
export interface OvsCall extends Omit<OvsContext, "db" | "place"> {
  /** Starts the switch where it does not run and the command would change it. */
  readonly start?: () => Promise<void>;
}

/**
 * Runs a command on a switch that is opened for it, after its arguments have been read.
 *
 * @param input its arguments as JSON has them
 * @returns its answer: null, "", a name, or what was read
 * @throws YardError `ovs.unknown-command`, `ovs.not-running`, and those of the command
 */
export async function callOvs(place: SwitchPlace, word: string, input: unknown, call: OvsCall): Promise<unknown> {
  const { start, ...context } = call;
  const command = ovsCommandOf(word);
  const work = await command.read(input, call.warn);
  const limits = { ...(call.signal === undefined ? {} : { signal: call.signal }), status: command.reads };
  const open = () => openPlace(place, limits);
  await using db = await open().catch(async (error) => {
    const absent = error instanceof YardError && error.code === "ovs.not-running";
    if (!absent || start === undefined || command.reads) throw error;
    await start();
    return open();
  });
  return await work({ ...context, db, place });
}
