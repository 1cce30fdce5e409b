import { listYards } from "@switchyard/yard/agent";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { table } from "../render/table.ts";
import { type CommonOptions, print, printJson, type Session } from "../session.ts";

/** `yard yards` */
export function define(command: Command, session: Session): void {
  command
    .description("List the yards of this host: each a switch, a database and an agent of its own.")
    .option("--json", JSON_HELP)
    .action(async (options: CommonOptions) => {
      const yards = await listYards();
      const { style } = session;
      if (options.json) printJson(session, yards);
      else if (yards.length === 0) print(session, "no yards");
      else
        print(
          session,
          ...table(
            [
              { heading: "yard", cell: ({ name }) => style.bold(name) },
              { heading: "state", cell: ({ running }) => (running ? style.green("running") : style.yellow("stopped")) },
              {
                heading: "agent",
                cell: ({ agentPid }) => (agentPid === undefined ? "" : String(agentPid)),
                align: "right",
              },
              { heading: "datapath", cell: ({ datapath }) => datapath ?? "" },
              { heading: "labs", cell: ({ labs }) => String(labs), align: "right" },
              { heading: "nodes", cell: ({ nodes }) => String(nodes), align: "right" },
            ],
            yards,
            style,
          ),
        );
    });
  examples(
    command,
    ["yard yards", "which yards there are"],
    ["yard -y test up other.yard.yaml", "bring a lab up in a yard of its own"],
  );
}
