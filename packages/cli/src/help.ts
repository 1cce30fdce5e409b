import type { Command } from "commander";

/** One example of a verb's help: what to type, and what it does. */
export type Example = readonly [line: string, meaning: string];

/** Ends a verb's help with examples. */
export function examples(command: Command, ...lines: readonly Example[]): Command {
  const width = Math.max(...lines.map(([line]) => line.length));
  const text = lines.map(([line, meaning]) => `  ${line.padEnd(width)}   ${meaning}`.trimEnd()).join("\n");
  return command.addHelpText("after", `\nExamples:\n${text}`);
}

/** What `[file]` means for every verb that has it. */
export const FILE_HELP = "the lab file (default: the only *.yard.yaml of this folder)";
/** What `--json` means for every verb that has it. */
export const JSON_HELP = "print JSON, errors too";

/** The help for `--nic` beside `--network`. */
export const NIC_HELP = "the same; TYPE:ID, or type=TYPE,id=ID, for a network that nobody declares";
