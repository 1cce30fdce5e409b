import type { Command } from "commander";
import { examples } from "../help.ts";
import { openInside } from "../inside.ts";
import { wholeNumber } from "../options.ts";
import { type Session, yardName } from "../session.ts";

interface Options {
  readonly follow?: boolean;
  readonly tail?: number;
}

/** `yard logs [-f] NODE` */
export function define(command: Command, session: Session): void {
  command
    .description("Show what the first process of a container has printed, or the serial console of a virtual machine.")
    .argument("<node>", "name of a container or virtual machine")
    .option("-f, --follow", "go on as it prints more, until Ctrl-C")
    .option("-n, --tail <lines>", "only the last lines", wholeNumber(0, 1e9))
    .action(async (name: string, options: Options) => logs(session, yardName(command, session.env), name, options));
  examples(command, ["yard logs web", "all of it"], ["yard logs -fn 20 web", "the last 20 lines, and what follows"]);
}

async function logs(session: Session, yard: string, name: string, options: Options): Promise<void> {
  await using inside = await openInside(session, yard, ["-y", yard, "logs", name]);
  const { stdout, stderr } = session.streams;
  const { follow = false, tail } = options;
  await inside.logs(
    name,
    { follow, ...(tail === undefined ? {} : { tail }), signal: session.signal },
    { stdin: undefined, stdout, stderr },
  );
}
