import { SYSTEM_YARD, systemSwitchAbsence } from "@switchyard/yard/agent";
import type { Command } from "commander";
import { yardName } from "./session.ts";

/**
 * The yard of a command that means the host: the one that is named, else the host's own switch where one runs, else
 * `main`.
 *
 * @throws YardError `yard.two-names`
 */
export async function hostYardName(command: Command, env: NodeJS.ProcessEnv): Promise<string> {
  // What is asked for when nothing else is.
  const named = yardName(command, { ...env, SWITCHYARD_YARD: env.SWITCHYARD_YARD || UNNAMED });
  if (named !== UNNAMED) return named;
  return await defaultHostYard();
}

/** The yard that is meant where none is named. */
export async function defaultHostYard(): Promise<string> {
  return (await systemSwitchAbsence()) === undefined ? SYSTEM_YARD : "main";
}

/** No yard can have this name. */
const UNNAMED = "-";
