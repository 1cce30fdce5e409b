import { asYardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { runAgent } from "@switchyard/yard/agent";
import type { Command } from "commander";
import { Option } from "commander";
import { cniService } from "../cni/service.ts";
import { examples } from "../help.ts";
import { selfCommand } from "../self.ts";
import { needRoot, print, type Session, yardName } from "../session.ts";

/** `yard agent` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Run the agent of a yard in the foreground: it makes what the database says, until it is stopped.\n" +
        "Other commands start it in the background when they need it; as a service it brings labs back\n" +
        "after a reboot. What it made stays when it ends.",
    )
    .addOption(new Option("--announce", "say on standard output whether it serves, as JSON").hideHelp())
    .action(async ({ announce }: { readonly announce?: boolean }) => {
      await agent(session, yardName(command, session.env), announce === true);
    });
  examples(
    command,
    ["sudo yard agent", "the yard main, until Ctrl-C"],
    ["sudo systemctl enable --now switchyard@main", "as a service"],
    ["sudo SWITCHYARD_LOG=debug yard -y test agent", "see all that it does"],
  );
}

async function agent(session: Session, yard: string, announce: boolean): Promise<void> {
  let serving = false;
  try {
    needRoot(["-y", yard, "agent"], "the agent");
    await using cni = cniService(yard);
    await runAgent(yard, {
      executable: selfCommand(),
      signal: session.signal,
      log: createLogger("agent"),
      methods: { cni: cni.method },
      onServing: () => {
        serving = true;
        cni.serving();
        if (announce) print(session, JSON.stringify({ serving: process.pid }));
      },
    });
  } catch (error) {
    if (!announce || serving) throw error;
    print(session, JSON.stringify({ error: asYardError(error).toJSON() }));
    session.exitCode = 1;
  }
}
