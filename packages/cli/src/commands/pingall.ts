import { pingAll } from "@switchyard/yard/checks";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { number } from "../options.ts";
import { renderMatrix } from "../render/matrix.ts";
import { createProgress } from "../render/progress.ts";
import { type CommonOptions, needRoot, print, printJson, type Session, yardName } from "../session.ts";
import { readYard } from "../view/open.ts";

interface Options extends CommonOptions {
  readonly lab?: string;
  readonly timeout: number;
}

/** `yard pingall` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Ping between every pair of running nodes that have addresses on a common network; virtual machines are\npinged, and do not ping themselves.",
    )
    .option("-l, --lab <name>", "only the nodes of this lab")
    .option("-t, --timeout <seconds>", "how long to wait for replies", number, 2)
    .option("--json", JSON_HELP)
    .action(async (options: Options) => pingall(session, yardName(command, session.env), options));
  examples(command, ["yard pingall", "who reaches whom, with round-trip times in milliseconds"]);
}

async function pingall(session: Session, yard: string, { lab, timeout, json }: Options): Promise<void> {
  needRoot(["-y", yard, "pingall"], "to enter nodes");
  const { nodes } = await readYard(session, yard);
  const running = nodes.filter((node) => node.state === "running" && (lab === undefined || node.lab === lab));
  const pairs = await (async () => {
    using progress = createProgress(session.streams.stderr, "pingall", session.errorStyle);
    return await pingAll(running, {
      timeout: timeout * 1_000,
      signal: session.signal,
      onDone: (done, total) => progress.show({ done, total, text: "nodes" }),
    });
  })();
  if (json) printJson(session, pairs);
  else if (running.length === 0) print(session, "no nodes that run");
  else
    print(
      session,
      ...renderMatrix(
        running.map(({ name }) => name),
        pairs,
        session.style,
      ),
    );
  if (pairs.some(({ roundTrip }) => roundTrip === null)) session.exitCode = 1;
}
