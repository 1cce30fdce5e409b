import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import type { SshWay } from "@switchyard/yard/inside";
import { type Command, Option } from "commander";
import { examples } from "../help.ts";
import { openInside } from "../inside.ts";
import { repeated } from "../options.ts";
import { type Session, yardName } from "../session.ts";
import { callerStreams } from "../terminal.ts";

interface Options {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly ssh?: string;
  readonly console?: boolean;
  readonly key?: string;
}

/** `yard exec [-it] NODE -- CMD` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Run a command in a node. A container's command comes from its image; in a bare namespace any\n" +
        "program of the host runs, with the lab's names in its /etc/hosts; in a virtual machine its guest\n" +
        "agent runs it; where none answers its ssh server, if the lab says how to get in (or --ssh does);\n" +
        "else, where it has no agent, the shell at its serial console (--console). The exit code is the command's.",
    )
    .usage("[options] NODE [--] COMMAND [ARGUMENT …]")
    .argument("<node>", "name of a node")
    .argument("<command...>", "the command and its arguments")
    .option("-i, --interactive", "pass standard input on")
    .option("-t, --tty", "give the command a terminal")
    .option("-e, --env <name=value>", "set an environment variable (may be repeated)", repeated, [])
    .option("-u, --user <name>", "run as this user of the container")
    .option("-w, --workdir <path>", "run in this folder")
    .addOption(sshOption())
    .addOption(consoleOption())
    .addOption(keyOption())
    .passThroughOptions()
    .action(async (node: string, words: readonly string[], options: Options) => {
      const argv = words[0] === "--" ? words.slice(1) : words;
      if (argv.length === 0)
        throw new YardError("usage.wrong", "there is no command to run", { hint: "yard exec NODE -- COMMAND" });
      await exec(session, yardName(command, session.env), node, argv, options);
    });
  examples(
    command,
    ["yard exec web -- ip address", "run a command"],
    ["yard exec -it web -- sh", "a shell (as `yard shell web`)"],
    ["yard exec vm --ssh admin --key id_ed25519 -- uname -a", "in a virtual machine without guest agent"],
    ["tar c src | yard exec -i web -- tar x", "feed it"],
  );
}

async function exec(
  session: Session,
  yard: string,
  node: string,
  command: readonly string[],
  options: Options,
): Promise<void> {
  const tty = options.tty ?? false;
  if (tty && !session.streams.stdin.isTTY)
    throw new YardError("usage.wrong", "-t needs a terminal, and standard input is none", { hint: "leave -t out" });
  await using inside = await openInside(session, yard, ["-y", yard, "exec", node, "--", ...command]);
  using streams = callerStreams(session, { interactive: options.interactive ?? false, tty });
  session.exitCode = await inside.exec(
    node,
    {
      command,
      tty,
      env: { ...(tty && session.env.TERM ? { TERM: session.env.TERM } : {}), ...environment(options.env ?? []) },
      ...(options.user === undefined ? {} : { user: options.user }),
      ...(options.workdir === undefined ? {} : { workdir: options.workdir }),
      ...(options.console === true ? { onConsole: true } : {}),
      ssh: givenWay(options, session.cwd),
      signal: session.signal,
    },
    streams,
  );
}

/** `--ssh`, `--console`, `--key`: by which way into a virtual machine. */
export function sshOption(): Option {
  return new Option("--ssh <user>", "into a virtual machine as this user by ssh, over a network that the host is on");
}

export function consoleOption(): Option {
  return new Option("--console", "in a virtual machine: by the shell that is logged in at its console").conflicts(
    "ssh",
  );
}

export function keyOption(): Option {
  return new Option("--key <file>", "private key for --ssh");
}

/** As `--ssh` and `--key` say it. */
export function givenWay(
  { ssh, key }: { readonly ssh?: string; readonly key?: string },
  cwd: string,
): SshWay | undefined {
  return ssh === undefined ? undefined : { user: ssh, ...(key === undefined ? {} : { key: resolve(cwd, key) }) };
}

/** @throws YardError `usage.wrong` */
export function environment(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf("=");
      if (at < 1)
        throw new YardError("usage.wrong", `"${word}" sets no environment variable`, { hint: "write NAME=VALUE" });
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
