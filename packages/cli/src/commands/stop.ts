import { STOP_GRACE, stopNodes } from "@switchyard/yard/store";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { wholeNumber } from "../options.ts";
import { setPower } from "../power.ts";
import { type CommonOptions, type Session, yardName } from "../session.ts";

interface Options extends CommonOptions {
  readonly grace?: number;
}

/** `yard stop NODE… [--grace SECONDS]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Have nodes run no longer: what runs in them ends, and they leave their networks; containers and virtual machines\n" +
        "keep what was written in them. They stay so, whatever is declared with `up`, until `yard start`.",
    )
    .argument("<node...>", "names of nodes: namespaces, containers, virtual machines")
    .option(
      "--grace <seconds>",
      `until they are ended by force; 0 at once (default: ${STOP_GRACE})`,
      wholeNumber(0, 3600),
    )
    .option("--json", JSON_HELP)
    .action(async (nodes: readonly string[], { grace = STOP_GRACE, ...options }: Options) => {
      const yard = yardName(command, session.env);
      await setPower(session, yard, nodes, options, "stopped", (store, names) => stopNodes(store, names, grace));
    });
  examples(
    command,
    ["yard stop web", "`yard ps` shows it as stopped"],
    ["yard stop web db --grace 60", "a minute to end by themselves"],
  );
}
