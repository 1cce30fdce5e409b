import type { Command } from "commander";
import { examples } from "../help.ts";
import { Inside } from "../inside.ts";
import { type Session, yardName } from "../session.ts";
import { findNode } from "../target.ts";
import { callerStreams } from "../terminal.ts";

/** `yard shell NODE` */
export function define(command: Command, session: Session): void {
  command
    .description("Open a shell in a node: your own in a bare namespace, /bin/sh in a container.")
    .argument("<node>", "name of a node")
    .option("-u, --user <name>", "be this user of the container")
    .action(async (node: string, options: { readonly user?: string }) => {
      const yard = yardName(command, session.env);
      await using inside = await Inside.open(session, yard, ["-y", yard, "shell", node]);
      const container = findNode(inside.view, node).kind === "container";
      const tty = session.streams.stdin.isTTY === true;
      using streams = callerStreams(session, { interactive: true, tty });
      session.exitCode = await inside.exec(
        node,
        {
          command: [container ? "/bin/sh" : (session.env.SHELL ?? "/bin/sh")],
          tty,
          // Whoever looks at the prompt shall see that this is not the host.
          env: { TERM: session.env.TERM ?? "dumb", PS1: `${node}:\\w# ` },
          ...(options.user === undefined ? {} : { user: options.user }),
          signal: session.signal,
        },
        streams,
      );
    });
  examples(
    command,
    ["yard shell router", "look around in a node"],
    ["yard shell web < script.sh", "run a script in it"],
  );
}
