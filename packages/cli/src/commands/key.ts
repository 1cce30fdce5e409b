import { yardPaths } from "@switchyard/yard/paths";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { type CommonOptions, needRoot, print, printJson, type Session, yardName } from "../session.ts";

/** `yard key` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Print the public key by which encrypted links to other hosts know this yard (c2c with `encrypt`): it is\n" +
        "what the lab file at the other end names. The private one is made when it is first needed, kept for\n" +
        "root alone, and goes with the yard.",
    )
    .option("--json", JSON_HELP)
    .action(async (options: CommonOptions) => {
      const yard = yardName(command, session.env);
      needRoot(["-y", yard, "key"], "the key of a yard");
      const { ensureTunnelKey, publicKeyOf, tunnelKeyFile } = await import("@switchyard/yard/agent");
      const key = publicKeyOf(ensureTunnelKey(tunnelKeyFile(yardPaths(yard, session.env).state)));
      if (options.json) printJson(session, { yard, key });
      else print(session, key);
    });
  examples(command, ["yard key", "for `encrypt:` in the lab file of the other host"]);
}
