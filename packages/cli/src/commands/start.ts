import { startNodes } from "@switchyard/yard/store";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { setPower } from "../power.ts";
import { type CommonOptions, type Session, yardName } from "../session.ts";

/** `yard start NODE…` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Have nodes run again that were stopped, or that have ended by themselves: with the nics, MACs and addresses that\n" +
        "they had. Their `exec` commands are run anew.",
    )
    .argument("<node...>", "names of nodes: namespaces, containers, virtual machines")
    .option("--json", JSON_HELP)
    .action(async (nodes: readonly string[], options: CommonOptions) => {
      const yard = yardName(command, session.env);
      await setPower(session, yard, nodes, options, "started", startNodes);
    });
  examples(command, ["yard start web", ""], ["yard start web db", "both at once"]);
}
