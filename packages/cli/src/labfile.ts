import { readdirSync, readFileSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import { errnoOf, YardError } from "@switchyard/base";

const SUFFIX = ".yard.yaml";

/** A lab file's text, and its absolute path. */
export interface LabText {
  readonly file: string;
  readonly text: string;
}

/**
 * Reads the lab file that a command is given, or the only one of the folder.
 *
 * @param cwd absolute
 * @throws YardError `lab.file-missing`, `lab.file-ambiguous`
 */
export function readLabFile(cwd: string, given: string | undefined): LabText {
  const file = given === undefined ? onlyLabFile(cwd) : resolve(cwd, given);
  try {
    return { file, text: readFileSync(file, "utf8") };
  } catch (cause) {
    throw new YardError("lab.file-missing", `the lab file ${shownPath(cwd, file)} cannot be read: ${reason(cause)}`, {
      cause,
      hint: "`yard init` writes a lab file to begin with",
    });
  }
}

/** A path as the caller would type it: relative when it lies below the folder. */
export function shownPath(cwd: string, path: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") || isAbsolute(short) ? path : short;
}

function onlyLabFile(cwd: string): string {
  const files = readdirSync(cwd)
    .filter((name) => name.endsWith(SUFFIX))
    .sort();
  const [first, ...others] = files;
  if (first === undefined)
    throw new YardError("lab.file-missing", `no lab file (*${SUFFIX}) in ${cwd}`, {
      hint: "name one, or write one with `yard init`",
    });
  if (others.length > 0)
    throw new YardError("lab.file-ambiguous", `several lab files in ${cwd}: ${files.join(", ")}`, {
      hint: `name the one that is meant: ${first}`,
    });
  return join(cwd, first);
}

function reason(cause: unknown): string {
  switch (errnoOf(cause)) {
    case "ENOENT":
      return "there is no such file";
    case "EISDIR":
      return "it is a folder";
    case "EACCES":
      return "permission denied";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}
