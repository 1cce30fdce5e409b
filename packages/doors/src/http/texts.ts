/** The texts of labs: their files, and those before, to which one can go back. */
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { YardError } from "@switchyard/base";
import type { YardPaths } from "@switchyard/yard/paths";

/** The file of a lab that has none of its user's. A lab's name is a file's name by its grammar. */
export function storedFile({ state }: YardPaths, lab: string): string {
  return join(state, "labs", `${lab}.yard.yaml`);
}

/** What a lab's text was before the last change. */
export function previousText(paths: YardPaths, lab: string): string | undefined {
  return readText(previousFile(paths, lab));
}

export function keepPrevious(paths: YardPaths, lab: string, text: string): void {
  using staged = stageText(paths, previousFile(paths, lab), text);
  staged.commit();
}

function previousFile({ state }: YardPaths, lab: string): string {
  return join(state, "labs", `${lab}.previous.yaml`);
}

/** The text of a file; undefined when it cannot be read. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** What tells one text from another, as HTTP's ETag has it. */
export function etagOf(text: string): string {
  return `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
}

/** Takes a file away, as it is committed; one that is not of the yard's own stays: it is its user's. */
export function removeText({ state }: YardPaths, file: string): Disposable & { commit(): void } {
  const own = dirname(file) === join(state, "labs");
  return {
    commit: () => {
      if (own) rmSync(file, { force: true });
    },
    [Symbol.dispose]: () => {},
  };
}

/**
 * Writes a text beside a file, which it replaces at once when it is committed. The file keeps its owner and its mode; one
 * that is a link stays one.
 *
 * @throws YardError `yard.file-failed`
 */
export function stageText({ state }: YardPaths, file: string, text: string): Disposable & { commit(): void } {
  try {
    if (dirname(file) === join(state, "labs")) mkdirSync(dirname(file), { recursive: true, mode: 0o750 });
    const present = statSync(file, { throwIfNoEntry: false });
    const target = present === undefined ? file : realpathSync(file);
    const staged = join(dirname(target), `.${randomBytes(6).toString("hex")}.yard-new`);
    writeFileSync(staged, text, { mode: 0o640, flag: "wx" });
    if (present !== undefined) {
      chownSync(staged, present.uid, present.gid);
      chmodSync(staged, present.mode & 0o7777);
    }
    return {
      commit: () => renameSync(staged, target),
      [Symbol.dispose]: () => rmSync(staged, { force: true }),
    };
  } catch (cause) {
    throw new YardError("yard.file-failed", `${file} cannot be written`, { cause });
  }
}
