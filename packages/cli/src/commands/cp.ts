import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import type { Command } from "commander";
import { examples } from "../help.ts";
import { openInside } from "../inside.ts";
import { type Session, yardName } from "../session.ts";

/** What `cp` is to copy: one side is in a node, the other on the host. */
export interface Copy {
  readonly node: string;
  readonly inside: string;
  readonly outside: string;
  /** Into the node, or out of it. */
  readonly into: boolean;
}

/** `yard cp SRC DST` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Copy a file or folder between the host and a container, or a virtual machine with a guest agent and tar.",
    )
    .argument("<source>", "a path, or NODE:PATH")
    .argument("<destination>", "a path, or NODE:PATH")
    .action(async (source: string, destination: string) => {
      await cp(session, yardName(command, session.env), parseCopy(source, destination, session.cwd));
    });
  examples(command, ["yard cp index.html web:/www/", "into a node"], ["yard cp web:/var/log ./web-log", "out of it"]);
}

async function cp(session: Session, yard: string, { node, inside: path, outside, into }: Copy): Promise<void> {
  const argv = into ? [outside, `${node}:${path}`] : [`${node}:${path}`, outside];
  await using inside = await openInside(session, yard, ["-y", yard, "cp", ...argv]);
  await inside.copy(node, { inside: path, outside, into }, session.signal);
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
