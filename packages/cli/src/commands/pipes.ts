import { runPipes } from "@switchyard/yard/agent";
import type { Command } from "commander";

/** `yard pipes FILE`: the process of a yard that relays impaired frames; the agent starts it. */
export function define(command: Command): void {
  command.argument("<file>").action((file: string) => runPipes(file));
}
