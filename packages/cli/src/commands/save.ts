import { resolve } from "node:path";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { openInside } from "../inside.ts";
import { type CommonOptions, type Session, yardName } from "../session.ts";
import { report } from "./add.ts";

/** `yard save NODE FILE` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Copy the first disk of a virtual machine, as it is now, to a qcow2 image that stands for itself. The\n" +
        "machine goes on meanwhile; what it has not yet written to its disk is not in the copy.",
    )
    .argument("<node>", "name of a virtual machine")
    .argument("<file>", "the image to make; it must not be there")
    .option("--json", JSON_HELP)
    .action(async (node: string, file: string, options: CommonOptions) => {
      const began = performance.now();
      const yard = yardName(command, session.env);
      await using inside = await openInside(session, yard, ["-y", yard, "save", node, file]);
      const { engine, name } = await inside.theMachine(node);
      await engine.save(name, resolve(session.cwd, file), session.signal);
      report(session, options, `disk of ${node}`, true, began, `saved to ${file}`);
    });
  examples(command, ["yard save web web-installed.qcow2", "an image for other nodes"]);
}
