import { PassThrough } from "node:stream";
import type { Inside } from "@switchyard/yard/inside";
import { findRunningNode } from "@switchyard/yard/view";
import type { Command } from "commander";
import { examples } from "../help.ts";
import { openInside } from "../inside.ts";
import { wholeNumber } from "../options.ts";
import { type Session, say, yardName } from "../session.ts";
import { callerStreams } from "../terminal.ts";

/** Ctrl-], as telnet and virsh have it. */
const LEAVE = 0x1d;
/** Bytes of what was said before, so that one sees where one is. */
export const DEFAULT_HISTORY = 2048;

/** `yard console NODE` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Sit down at the serial console of a virtual machine. Ctrl-] leaves it; the machine goes on, and the\n" +
        "console can be entered again, by several people at once: all see what it says, and each may type.\n" +
        "What is fed to it (`echo … | yard console NODE`) is typed, and then it is left.",
    )
    .argument("<node>", "name of a virtual machine")
    .option("--history <bytes>", "how much of what it said before is shown first", wholeNumber(0, 1e9), DEFAULT_HISTORY)
    .action(async (node: string, options: { readonly history: number }) => {
      const yard = yardName(command, session.env);
      await using inside = await openInside(session, yard, ["-y", yard, "console", node]);
      await attachConsole(session, inside, node, options.history);
    });
  examples(
    command,
    ["yard console vm", "sit down; Ctrl-] leaves"],
    ["yard logs -f vm", "only look"],
    ["echo poweroff | yard console vm", "type for it"],
  );
}

/**
 * Joins the caller's terminal to a machine's serial console until he leaves or the machine ends.
 *
 * @throws YardError `node.unknown`, `node.not-vm`, `node.not-running`
 */
export async function attachConsole(session: Session, inside: Inside, node: string, history: number): Promise<void> {
  const { engine, name } = await inside.theMachine(node);
  findRunningNode(inside.view, node);
  const tty = session.streams.stdin.isTTY === true;
  if (tty) say(session, `this is the serial console of ${node}; Ctrl-] leaves it`);
  using streams = callerStreams(session, { interactive: true, tty });
  const typed = tty ? streams.stdin : leavingAtItsEnd(session.streams.stdin);
  const how = await engine.console(
    name,
    { history, leave: LEAVE, signal: session.signal },
    { stdin: typed, stdout: streams.stdout, stderr: streams.stderr },
  );
  if (tty) say(session, how === "left" ? `\r\nleft the console of ${node}` : `\r\n${node} has ended`);
}

/** What is not typed by a person ends by itself, and does not mean the key that leaves. */
function leavingAtItsEnd(input: NodeJS.ReadableStream): NodeJS.ReadableStream {
  const keys = new PassThrough();
  input.on("data", (chunk: Buffer) => keys.write(Buffer.from(chunk.filter((key) => key !== LEAVE))));
  input.on("end", () => keys.end(Buffer.of(LEAVE)));
  return keys;
}
