import { YardError } from "@switchyard/base";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import { splitWords } from "./words.ts";

/** A command, as a list or as one text that is split. */
export function readCommand(
  words: string | readonly string[],
  path: Path,
  reading: Reading,
): readonly [string, ...string[]] | undefined {
  if (typeof words === "string") return reading.parse(path, words, splitWords);
  const [program, ...rest] = words;
  if (program !== undefined && program !== "") return [program, ...rest];
  reading.places.report(
    path,
    () =>
      new YardError("command.empty", "the command is empty", { hint: "write the program's name and its arguments" }),
  );
  return undefined;
}
