import { once } from "node:events";
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import type { Readable } from "node:stream";
import { errnoOf, YardError } from "@switchyard/base";
import { extract, type Header } from "tar-stream";
import { FileError, type RootedFolder } from "./rooted.ts";

export interface UnpackOptions {
  /** Treat `.wh.` entries as a layer of an image does: they delete what lower layers brought (OCI image spec, layer.md). */
  readonly whiteouts?: boolean;
  /** The new name of an entry; undefined leaves it out. Default: its own. */
  readonly rename?: (name: string) => string | undefined;
  readonly signal?: AbortSignal;
}

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

/**
 * Unpacks a tar stream into `root`. Nothing outside of it is touched, whatever names and links the archive has.
 * Devices and sockets are left out. Extended attributes are not restored.
 *
 * @throws YardError `runtime.archive-bad`
 */
export async function unpackTree(root: RootedFolder, stream: Readable, options: UnpackOptions = {}): Promise<void> {
  const unpacker = new Unpacker(root, options);
  const archive = extract();
  const fed = feed(stream, archive);
  try {
    for await (const entry of archive) {
      options.signal?.throwIfAborted();
      await unpacker.take(entry.header, entry);
      entry.resume();
    }
    await fed;
  } catch (error) {
    if (error instanceof YardError || options.signal?.aborted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new YardError("runtime.archive-bad", `the archive cannot be unpacked: ${reason}`, { cause: error });
  } finally {
    archive.destroy();
    stream.destroy();
    await fed.catch(() => undefined);
  }
  unpacker.finish();
}

async function feed(stream: Readable, archive: ReturnType<typeof extract>): Promise<void> {
  try {
    for await (const chunk of stream) {
      if (archive.destroyed) return;
      if (!archive.write(chunk)) await Promise.race([once(archive, "drain"), once(archive, "close")]);
    }
    archive.end(undefined);
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

class Unpacker {
  readonly #root: RootedFolder;
  readonly #options: UnpackOptions;
  /** What this archive has brought: an opaque whiteout spares it. */
  readonly #brought = new Set<string>();
  /** Times of folders are set last, because filling them changes them. */
  readonly #folderTimes = new Map<string, Date>();

  constructor(root: RootedFolder, options: UnpackOptions) {
    this.#root = root;
    this.#options = options;
  }

  async take(header: Header, content: AsyncIterable<unknown>): Promise<void> {
    const named = normalize(header.name);
    const path = this.#options.rename === undefined ? named : this.#options.rename(named);
    if (path === undefined) return;
    if (this.#options.whiteouts === true && this.#whiteout(path)) return;
    if (path === "") {
      if (header.type === "directory") this.#dress(".", header);
      return;
    }
    const cut = path.lastIndexOf("/");
    if (cut > 0) this.#parents(path.slice(0, cut));
    this.#brought.add(path);
    switch (header.type) {
      case "directory":
        this.#folder(path, header);
        return;
      case "file":
      case "contiguous-file":
        await this.#file(path, header, content);
        return;
      case "symlink":
        this.#clear(path);
        this.#root.entry(path, (entry) => {
          symlinkSync(header.linkname, entry);
          lchownSync(entry, header.uid, header.gid);
        });
        return;
      case "link":
        this.#link(path, header.linkname);
        return;
      default:
        return;
    }
  }

  finish(): void {
    for (const [path, time] of this.#folderTimes) this.#open(path, (fd) => futimesSync(fd, time, time));
  }

  #whiteout(path: string): boolean {
    const cut = path.lastIndexOf("/");
    const [folder, base] = [cut < 0 ? "" : path.slice(0, cut), path.slice(cut + 1)];
    if (base === OPAQUE) {
      for (const child of this.#children(folder)) {
        const each = folder === "" ? child : `${folder}/${child}`;
        if (!this.#brought.has(each)) this.#clear(each);
      }
      return true;
    }
    if (!base.startsWith(WHITEOUT)) return false;
    const hidden = base.slice(WHITEOUT.length);
    if (hidden !== "" && hidden !== "." && hidden !== "..") this.#clear(folder === "" ? hidden : `${folder}/${hidden}`);
    return true;
  }

  #children(folder: string): string[] {
    return absentIs([], () => this.#root.within(folder, (path) => readdirSync(path)));
  }

  /** Removes what is at a path: itself, never what a symbolic link there points to. */
  #clear(path: string): void {
    absentIs(undefined, () => this.#root.entry(path, (entry) => rmSync(entry, { recursive: true, force: true })));
  }

  #parents(folder: string): void {
    let path = "";
    for (const part of folder.split("/")) {
      path = path === "" ? part : `${path}/${part}`;
      if (this.#brought.has(path)) continue;
      // A symbolic link to a folder of the root serves as a parent; the kernel keeps it within the root.
      const isFolder = absentIs(false, () => this.#root.within(path, (entry) => lstatSync(`${entry}/.`).isDirectory()));
      if (!isFolder) {
        this.#clear(path);
        this.#root.entry(path, (entry) => mkdirSync(entry, 0o755));
      }
      this.#brought.add(path);
    }
  }

  #folder(path: string, header: Header): void {
    const kept = absentIs(false, () => this.#root.entry(path, (entry) => lstatSync(entry).isDirectory()));
    if (!kept) {
      this.#clear(path);
      this.#root.entry(path, (entry) => mkdirSync(entry, 0o755));
    }
    this.#dress(path, header);
  }

  #dress(path: string, header: Header): void {
    this.#open(path, (fd) => {
      fchownSync(fd, header.uid, header.gid);
      fchmodSync(fd, header.mode);
    });
    this.#folderTimes.set(path, header.mtime);
  }

  async #file(path: string, header: Header, content: AsyncIterable<unknown>): Promise<void> {
    this.#clear(path);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = this.#root.open(path, flags, 0o600);
    try {
      for await (const chunk of content) if (chunk instanceof Uint8Array) writeAll(fd, chunk);
      // The owner first: changing it clears the set-user-ID bit.
      fchownSync(fd, header.uid, header.gid);
      fchmodSync(fd, header.mode);
      futimesSync(fd, header.mtime, header.mtime);
    } finally {
      closeSync(fd);
    }
  }

  #link(path: string, target: string): void {
    const from = normalize(target);
    const renamed = this.#options.rename === undefined ? from : this.#options.rename(from);
    if (renamed === undefined || renamed === "") return;
    this.#clear(path);
    this.#root.entry(renamed, (source) => this.#root.entry(path, (entry) => linkSync(source, entry)));
  }

  #open(path: string, use: (fd: number) => void): void {
    const fd = this.#root.open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      use(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/** A name of an archive as a path below its root. @throws YardError `runtime.archive-bad` when it climbs out */
function normalize(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || name.includes("\0"))
    throw new YardError(
      "runtime.archive-bad",
      `the archive has an entry outside of its root: ${JSON.stringify(name)}`,
      {
        hint: "do not use this archive; it was made to overwrite files of the host",
      },
    );
  return parts.join("/");
}

function writeAll(fd: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
}

function absentIs<R>(otherwise: R, look: () => R): R {
  try {
    return look();
  } catch (error) {
    const absent = ["ENOENT", "ENOTDIR", ...(error instanceof FileError ? ["ELOOP"] : [])];
    if (absent.includes(errnoOf(error) ?? "")) return otherwise;
    throw error;
  }
}
