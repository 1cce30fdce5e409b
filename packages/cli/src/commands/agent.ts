import { asYardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { runAgent } from "@switchyard/yard/agent";
import type { Command } from "commander";
import { Option } from "commander";
import { cniService } from "../cni/service.ts";
import { errandMethods } from "../errand/service.ts";
import { examples } from "../help.ts";
import { selfCommand } from "../self.ts";
import { type HttpWords, httpOptions, readHttp, tlsOptions } from "../serve/http-options.ts";
import { httpService } from "../serve/http-service.ts";
import { needRoot, print, type Session, yardName } from "../session.ts";

interface Options extends HttpWords {
  readonly announce?: boolean;
}

/** `yard agent` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Run the agent of a yard in the foreground: it makes what the database says, until it is stopped.\n" +
        "Other commands start it in the background when they need it; as a service it brings labs back\n" +
        "after a reboot. What it made stays when it ends.",
    )
    .addOption(new Option("--announce", "say on standard output whether it serves, as JSON").hideHelp());
  tlsOptions(httpOptions(command)).action(async (options: Options) => {
    await agent(session, yardName(command, session.env), options);
  });
  examples(
    command,
    ["sudo yard agent", "the yard main, until Ctrl-C"],
    ["sudo systemctl enable --now switchyard@main", "as a service"],
    ["sudo yard agent --http", "serve it over HTTP too: see `yard help serve`"],
    ["sudo SWITCHYARD_LOG=debug yard -y test agent", "see all that it does"],
  );
}

async function agent(session: Session, yard: string, { announce = false, ...words }: Options): Promise<void> {
  let serving = false;
  try {
    const http = readHttp(words);
    needRoot(["-y", yard, "agent"], "the agent");
    await using cni = cniService(yard);
    await using web = httpService(session, yard, http);
    await runAgent(yard, {
      executable: selfCommand(),
      signal: AbortSignal.any([session.signal, web.failed]),
      log: createLogger("agent"),
      methods: { cni: cni.method, ...errandMethods(yard) },
      onServing: () => {
        serving = true;
        cni.serving();
        web.serving();
        if (announce) print(session, JSON.stringify({ serving: process.pid }));
      },
    });
    if (web.failed.aborted) throw web.failed.reason;
  } catch (error) {
    if (!announce || serving) throw error;
    print(session, JSON.stringify({ error: asYardError(error).toJSON() }));
    session.exitCode = 1;
  }
}
