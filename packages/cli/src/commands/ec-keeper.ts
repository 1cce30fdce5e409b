import { createLogger } from "@switchyard/base/log";
import { runKeeper } from "@switchyard/doors/ecdock";
import type { Command } from "commander";
import { selfCommand } from "../self.ts";
import { type Session, yardName } from "../session.ts";

/** The process behind `ec` that gives restarted containers their nics back. */
export function define(command: Command, session: Session): void {
  command.option("--engine <address>", "the engine, in the form of DOCKER_HOST");
  command.action(async ({ engine }: { readonly engine?: string }) => {
    await runKeeper({
      yard: yardName(command, session.env),
      executable: selfCommand(),
      engine,
      signal: session.signal,
      log: createLogger("ec-keeper"),
    });
  });
}
