import { createReadStream, readdirSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import { errnoOf, unlessAborted, YardError } from "@switchyard/base";

const SUFFIX = ".yard.yaml";

/** A lab file's text, and its absolute path. */
export interface LabText {
  readonly file: string;
  readonly text: string;
}

/** Bytes that are too many for a lab, whatever characters they stand for. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Reads the lab file that a command is given, or the only one of the folder: once, as it may be a pipe.
 *
 * @param cwd absolute
 * @throws YardError `lab.file-missing`, `lab.file-ambiguous`; the signal's reason
 */
export async function readLabFile(cwd: string, given: string | undefined, signal?: AbortSignal): Promise<LabText> {
  const file = given === undefined ? onlyLabFile(cwd) : resolve(cwd, given);
  try {
    // Whoever shall write into a pipe may never come, for which a read cannot be told to wait no longer.
    return { file, text: await unlessAborted(textOf(file), signal) };
  } catch (cause) {
    signal?.throwIfAborted();
    throw new YardError("lab.file-missing", `the lab file ${shownPath(cwd, file)} cannot be read: ${reason(cause)}`, {
      cause,
      hint: "`yard init` writes a lab file to begin with",
    });
  }
}

/** Its end, which that of a device may not have, is left out where the rest is too much already. */
async function textOf(file: string): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of createReadStream(file)) {
    if (!Buffer.isBuffer(piece)) continue;
    pieces.push(piece);
    size += piece.length;
    if (size > MOST_BYTES) break;
  }
  return Buffer.concat(pieces).toString("utf8");
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
