import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import type { CopyProgress } from "@switchyard/runtime";
import type { Command } from "commander";
import { examples } from "../help.ts";
import { openInside } from "../inside.ts";
import { type Session, yardName } from "../session.ts";
import { consoleOption, givenWay, keyOption, sshOption } from "./exec.ts";

/** What `cp` is to copy: one side is in a node, the other on the host. */
export interface Copy {
  readonly node: string;
  readonly inside: string;
  readonly outside: string;
  /** Into the node, or out of it. */
  readonly into: boolean;
}

interface Options {
  readonly ssh?: string;
  readonly console?: boolean;
  readonly key?: string;
}

/** `yard cp SRC DST` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Copy a file or folder between the host and a container or a virtual machine. Into a machine go by\n" +
        "its guest agent; where none answers by ssh, if the lab says how to get in (or --ssh does); else, where\n" +
        "it has no agent, by the shell at its serial console (--console), 4 MiB at most. The guest needs tar.",
    )
    .argument("<source>", "a path, or NODE:PATH")
    .argument("<destination>", "a path, or NODE:PATH")
    .addOption(sshOption())
    .addOption(consoleOption())
    .addOption(keyOption())
    .action(async (source: string, destination: string, options: Options) => {
      await cp(session, yardName(command, session.env), parseCopy(source, destination, session.cwd), options);
    });
  examples(
    command,
    ["yard cp index.html web:/www/", "into a node"],
    ["yard cp web:/var/log ./web-log", "out of it"],
    ["yard cp --console notes vm:/tmp/", "into a guest that has neither agent nor network"],
  );
}

async function cp(
  session: Session,
  yard: string,
  { node, inside: path, outside, into }: Copy,
  options: Options,
): Promise<void> {
  const argv = into ? [outside, `${node}:${path}`] : [`${node}:${path}`, outside];
  await using inside = await openInside(session, yard, ["-y", yard, "cp", ...argv]);
  const how = {
    ssh: givenWay(options, session.cwd),
    ...(options.console === true ? { onConsole: true } : {}),
    ...(session.streams.stderr.isTTY ? { progress: progressOn(session) } : {}),
  };
  await inside.copy(node, { inside: path, outside, into, ...how }, session.signal);
}

/** On one line, which is gone in the end. */
function progressOn({ streams: { stderr } }: Session): CopyProgress {
  return (done, total) => {
    const kib = (bytes: number) => Math.ceil(bytes / 1024);
    stderr.write(done < total ? `\r${kib(done)} of ${kib(total)} KiB\x1b[K` : "\r\x1b[K");
  };
}

/**
 * Which side is the node's: a path that begins with `.` or `/` never is.
 *
 * @throws YardError `cp.bad-path` unless exactly one is, with an absolute path
 */
export function parseCopy(source: string, destination: string, cwd: string): Copy {
  const from = nodePath(source);
  const to = nodePath(destination);
  if ((from === undefined) === (to === undefined))
    throw new YardError("cp.bad-path", `${from === undefined ? "neither side is" : "both sides are"} in a node`, {
      hint: "write one side as NODE:PATH, such as web:/www/index.html",
    });
  const inNode = from ?? to;
  if (inNode === undefined || !inNode.path.startsWith("/"))
    throw new YardError("cp.bad-path", `the path "${inNode?.path}" in node ${inNode?.node} is not absolute`, {
      hint: `write ${inNode?.node}:/${inNode?.path}`,
    });
  const outside = to === undefined ? destination : source;
  const trailing = outside.endsWith("/") && outside !== "/" ? "/" : "";
  return { node: inNode.node, inside: inNode.path, outside: resolve(cwd, outside) + trailing, into: to !== undefined };
}

function nodePath(text: string): { readonly node: string; readonly path: string } | undefined {
  const match = /^([A-Za-z0-9][A-Za-z0-9_.-]*):(.*)$/s.exec(text);
  return match === null ? undefined : { node: match[1] ?? "", path: match[2] ?? "" };
}
