import { runRelay } from "@switchyard/yard/agent";
import type { Command } from "commander";
import type { Session } from "../session.ts";

/** `yard relay FILE`: the process of a yard that forwards published ports; the agent starts it. */
export function define(command: Command, session: Session): void {
  command.argument("<file>").action((file: string) => runRelay(file, session.signal));
}
