import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { type CommonOptions, print, printJson, type Session } from "../session.ts";
import { version } from "../version.ts";

/** `yard version` */
export function define(command: Command, session: Session): void {
  command.option("--json", JSON_HELP).action((options: CommonOptions) => {
    if (options.json) printJson(session, { version, runtime: `bun ${Bun.version}`, architecture: process.arch });
    else print(session, `yard ${version} (bun ${Bun.version}, ${process.platform} ${process.arch})`);
  });
  examples(command, ["yard version", "yard 0.1.0 (bun 1.4.5, linux x64)"]);
}
