/** Copying a file or folder as `cp -a` and `docker cp` name the result. */
import { lstatSync } from "node:fs";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { errnoOf, YardError } from "@switchyard/base";
import { packTree } from "./pack.ts";
import { FileError, RootedFolder } from "./rooted.ts";
import { unpackTree } from "./unpack.ts";

/** A path in a file system of its own. */
export interface Place {
  /** The folder that is its root; `/` for the host. */
  readonly root: string;
  readonly path: string;
}

/** A path of the host; a relative one is taken from our working folder. */
export function hostPlace(path: string): Place {
  return { root: "/", path: resolve(path) };
}

/**
 * Copies from one place to the other with owners, modes and times. A target that is a folder receives the source under
 * its own name; otherwise the copy is called as the target, whose folder must exist.
 *
 * @throws YardError `runtime.path-absent`, `runtime.archive-bad`
 */
export async function copyBetween(from: Place, to: Place, signal?: AbortSignal): Promise<void> {
  using source = new RootedFolder(from.root);
  const name = baseName(from.path);
  await unpackAt(to, name, packFrom(source, from.path, name, signal), signal);
}

/** A tar stream of what is at `path`, whose first entry is called `name`. @throws YardError `runtime.path-absent` */
export function packFrom(root: RootedFolder, path: string, name: string, signal?: AbortSignal): Readable {
  const clean = withoutSlash(path);
  reach(path, () => root.entry(clean, (entry) => lstatSync(entry)));
  return packTree(root, clean, name, signal);
}

/** Unpacks a tar stream whose first entry is called `name` at a place, named as {@link copyBetween} says. */
export async function unpackAt(to: Place, name: string, stream: Readable, signal?: AbortSignal): Promise<void> {
  using root = new RootedFolder(to.root);
  const path = withoutSlash(to.path);
  const intoFolder = isFolder(root, path);
  const cut = path.lastIndexOf("/");
  const folder = intoFolder ? path : cut < 0 ? "." : path.slice(0, cut + 1);
  const finalName = intoFolder ? name : path.slice(cut + 1);
  const target = reach(folder, () => root.within(folder, (fd) => new RootedFolder(fd)));
  using _target = target;
  const rename = (entry: string) => {
    const rest = entry.split("/").slice(1);
    return [finalName, ...rest].join("/");
  };
  await unpackTree(target, stream, { rename, ...(signal === undefined ? {} : { signal }) });
}

/** The last part of a path. */
export function baseName(path: string): string {
  const clean = withoutSlash(path);
  const base = clean.slice(clean.lastIndexOf("/") + 1);
  if (base === "" || base === "." || base === "..")
    throw new YardError("runtime.path-absent", `"${path}" names no file or folder that could be copied`, {
      hint: "name a file or a folder below the root",
    });
  return base;
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

function isFolder(root: RootedFolder, path: string): boolean {
  try {
    return root.within(path, (entry) => lstatSync(`${entry}/.`).isDirectory());
  } catch {
    return false;
  }
}

function reach<R>(path: string, look: () => R): R {
  try {
    return look();
  } catch (error) {
    if (error instanceof YardError) throw error;
    if (error instanceof FileError || errnoOf(error) === "ENOENT")
      throw new YardError("runtime.path-absent", `there is no ${path}`, { cause: error });
    throw error;
  }
}
