/** Putting the plugin where runtimes look for it. */
import {
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { YardError } from "@switchyard/base";
import { PLUGIN_TYPES } from "./config.ts";

export interface Installation {
  /** The program that the names shall stand for. */
  readonly executable: string;
  /** Files of its own, for a folder that is used where the executable is not; else symbolic links. */
  readonly copy?: boolean;
  /** Whether what has a name already gives way. */
  readonly force?: boolean;
}

/**
 * Gives a folder the plugin under each of its names, each put in place at once, so that a runtime never finds half of one.
 *
 * @returns the files
 * @throws YardError `cni.name-taken` with nothing changed, `cni.io`
 */
export function installPlugins(folder: string, { executable, copy = false, force = false }: Installation): string[] {
  const files = PLUGIN_TYPES.map((name) => join(folder, name));
  const taken = files.filter((file) => !force && isAnothers(file));
  if (taken.length > 0)
    throw new YardError(
      "cni.name-taken",
      `${taken.join(" and ")} ${taken.length === 1 ? "is" : "are"} somebody else's`,
      {
        hint: "--force puts ours in place of it",
      },
    );
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const [first = ""] = files;
    for (const file of files) {
      const fresh = `${file}.${process.pid}.new`;
      rmSync(fresh, { force: true });
      if (!copy) symlinkSync(executable, fresh);
      else if (file === first) copyFileSync(executable, fresh);
      else linkSync(first, fresh);
      renameSync(fresh, file);
    }
    return files;
  } catch (cause) {
    throw new YardError("cni.io", `the plugin cannot be put into ${folder}`, { cause, where: folder });
  }
}

/** Takes our names out of a folder, and nobody else's. @returns the files */
export function uninstallPlugins(folder: string): string[] {
  const files = PLUGIN_TYPES.map((name) => join(folder, name)).filter((file) => exists(file) && !isAnothers(file));
  for (const file of files) rmSync(file);
  return files;
}

function exists(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** Ours are links to a program that is called yard, and files that all names have in common. */
function isAnothers(file: string): boolean {
  const seen = lstatSync(file, { throwIfNoEntry: false });
  if (seen === undefined) return false;
  if (seen.isSymbolicLink()) return !/(^|\/)yard$/.test(readlinkSync(file));
  const folder = join(file, "..");
  const twins = readdirSync(folder).filter(
    (name) => PLUGIN_TYPES.some((type) => type === name) && statSync(join(folder, name)).ino === seen.ino,
  );
  return twins.length < PLUGIN_TYPES.length;
}
