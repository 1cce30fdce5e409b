import { describe, previewPlan } from "@switchyard/yard/agent";
import type { Command } from "commander";
import { examples, FILE_HELP, JSON_HELP } from "../help.ts";
import { parseLabFile } from "../parse.ts";
import { counted } from "../render/duration.ts";
import type { Style } from "../render/style.ts";
import { selfCommand } from "../self.ts";
import { type CommonOptions, needRoot, print, printJson, type Session, yardName } from "../session.ts";

/** `yard plan [FILE]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Show what `up` would do, step by step, without doing it: + what is made, - what goes, ~ what changes.",
    )
    .argument("[file]", FILE_HELP)
    .option("--json", JSON_HELP)
    .action(async (file: string | undefined, options: CommonOptions) => {
      const yard = yardName(command, session.env);
      const lab = await parseLabFile(session, file);
      needRoot(["-y", yard, "plan", ...(file === undefined ? [] : [file])], "to look at what is there");
      const actions = await previewPlan(yard, lab, { executable: selfCommand(), signal: session.signal });
      if (options.json)
        printJson(
          session,
          actions.map((action) => ({ ...action, text: describe(action) })),
        );
      else print(session, ...renderPlan(actions.map(describe), session.style));
    });
  examples(command, ["yard plan", "after an edit of the lab file: what would change"]);
}

/** The steps in colour, and how many there are. */
function renderPlan(steps: readonly string[], style: Style): string[] {
  if (steps.length === 0) return ["nothing to do"];
  const colours: Readonly<Record<string, (text: string) => string>> = {
    "+": style.green,
    "-": style.red,
    "~": style.yellow,
  };
  return [
    ...steps.map((step) => (colours[step.charAt(0)] ?? style.bold)(step)),
    "",
    `${counted(steps.length, "step")} to do`,
  ];
}
