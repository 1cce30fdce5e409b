import { YardError } from "@switchyard/base";
import type { VmSnapshot } from "@switchyard/runtime";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { openInside } from "../inside.ts";
import { subcommand } from "../program.ts";
import { table } from "../render/table.ts";
import { type CommonOptions, print, printJson, type Session, yardName } from "../session.ts";
import { report } from "./add.ts";

/** What is done with one snapshot: `take`, `revert`, `rm`. */
const deeds = [
  { name: "take", summary: "keep its present state under a name", method: "takeSnapshot", done: "taken" },
  { name: "revert", summary: "have it go back to a state", method: "revert", done: "gone back to" },
  { name: "rm", summary: "forget a state", method: "deleteSnapshot", done: "removed" },
] as const;

/** `yard snapshot take|list|revert|rm NODE [NAME]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "States of a virtual machine that it can go back to: of memory and disks when it runs, else of the\n" +
        "disks. They are kept in its qcow2 images, and go with its overlays when the node is removed.",
    )
    .argument("[what]", "take, list, revert or rm")
    .action((what: string | undefined) => {
      throw new YardError("usage.wrong", what === undefined ? "there is nothing to do" : `"${what}" is not known`, {
        hint: "yard snapshot take NODE NAME, list NODE, revert NODE NAME or rm NODE NAME",
      });
    });
  for (const deed of deeds) {
    const below = subcommand(command, deed.name, deed.summary, session);
    below
      .argument("<node>", "name of a virtual machine")
      .argument("<name>", "name of the snapshot")
      .option("--json", JSON_HELP)
      .action(async (node: string, tag: string, options: CommonOptions) => {
        const began = performance.now();
        const yard = yardName(below, session.env);
        await using inside = await openInside(session, yard, ["-y", yard, "snapshot", deed.name, node, tag]);
        const { engine, name } = await inside.theMachine(node);
        await engine[deed.method](name, tag, session.signal);
        report(session, options, `snapshot ${tag} of ${node}`, true, began, deed.done);
      });
    examples(below, [`yard snapshot ${deed.name} web installed`, ""]);
  }
  defineList(subcommand(command, "list", "list its states", session), session);
  examples(
    command,
    ["yard snapshot take web installed", "keep what it is like now"],
    ["yard snapshot revert web installed", "and have it be like that again"],
  );
}

function defineList(command: Command, session: Session): void {
  command
    .argument("<node>", "name of a virtual machine")
    .option("--json", JSON_HELP)
    .action(async (node: string, options: CommonOptions) => {
      const yard = yardName(command, session.env);
      await using inside = await openInside(session, yard, ["-y", yard, "snapshot", "list", node]);
      const { engine, name } = await inside.theMachine(node);
      const snapshots = await engine.snapshots(name, session.signal);
      if (options.json) printJson(session, snapshots);
      else print(session, ...render(session, snapshots));
    });
  examples(command, ["yard snapshot list web", ""], ["yard snapshot list web --json", "for programs"]);
}

function render(session: Session, snapshots: readonly VmSnapshot[]): string[] {
  if (snapshots.length === 0) return ["no snapshots"];
  return table<VmSnapshot>(
    [
      { heading: "snapshot", cell: ({ tag }) => session.style.bold(tag) },
      { heading: "taken", cell: ({ time }) => new Date(time).toISOString() },
      {
        heading: "memory",
        cell: ({ memory }) => (memory === 0 ? "-" : `${Math.ceil(memory / (1024 * 1024))}M`),
        align: "right",
      },
    ],
    snapshots,
    session.style,
  );
}
