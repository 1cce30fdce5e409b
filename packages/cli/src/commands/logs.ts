import { YardError } from "@switchyard/base";
import type { Command } from "commander";
import { examples } from "../help.ts";
import { Inside } from "../inside.ts";
import { wholeNumber } from "../options.ts";
import { type Session, yardName } from "../session.ts";
import { findNode } from "../target.ts";

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
  await using inside = await Inside.open(session, yard, ["-y", yard, "logs", name]);
  findNode(inside.view, name);
  const container = (await inside.container(name)) ?? (await inside.machine(name));
  if (container === undefined)
    throw new YardError("node.no-logs", `node ${name} is a bare namespace, which has no output of its own`, {
      hint: "only containers and virtual machines have logs; the output of `exec` is where you ran it",
    });
  const { stdout, stderr } = session.streams;
  const { follow = false, tail } = options;
  await container.engine.logs(
    container.name,
    { follow, ...(tail === undefined ? {} : { tail }), signal: session.signal },
    { stdin: undefined, stdout, stderr },
  );
}
