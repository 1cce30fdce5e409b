import { findNode } from "@switchyard/yard/view";
import type { Command } from "commander";
import { examples } from "../help.ts";
import { openInside } from "../inside.ts";
import { type Session, yardName } from "../session.ts";
import { callerStreams } from "../terminal.ts";
import { attachConsole, DEFAULT_HISTORY } from "./console.ts";
import { givenWay, keyOption, sshOption } from "./exec.ts";

interface Options {
  readonly user?: string;
  readonly ssh?: string;
  readonly key?: string;
}

/** `yard shell NODE` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Open a shell in a node: your own in a bare namespace, /bin/sh in a container. Of a virtual machine it\n" +
        "is the serial console (see `yard console`), or a shell by ssh, with --ssh or where the lab says how\n" +
        "ssh gets in.",
    )
    .argument("<node>", "name of a node")
    .option("-u, --user <name>", "be this user of the container")
    .addOption(sshOption())
    .addOption(keyOption())
    .action(async (node: string, options: Options) => {
      const yard = yardName(command, session.env);
      await using inside = await openInside(session, yard, ["-y", yard, "shell", node]);
      const tty = session.streams.stdin.isTTY === true;
      const ssh = inside.isMachine(node)
        ? await inside.sshWay(node, { ssh: givenWay(options, session.cwd), tty })
        : undefined;
      // What is fed to it is a script, for which an agent needs no terminal.
      if (ssh === undefined && tty && inside.isMachine(node))
        return await attachConsole(session, inside, node, DEFAULT_HISTORY);
      const container = findNode(inside.view, node).kind !== "netns";
      using streams = callerStreams(session, { interactive: true, tty });
      session.exitCode = await inside.exec(
        node,
        {
          // By ssh it is that of the user.
          command: ssh ? [] : [container ? "/bin/sh" : (session.env.SHELL ?? "/bin/sh")],
          tty,
          ssh,
          // Whoever looks at the prompt shall see that this is not the host.
          env: { TERM: session.env.TERM ?? "dumb", ...(ssh ? {} : { PS1: `${node}:\\w# ` }) },
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
