import { once } from "node:events";
import { closeSync, constants, lstatSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { Readable } from "node:stream";
import { type Header, type Pack, pack } from "tar-stream";
import type { RootedFolder } from "./rooted.ts";

/** Bytes read at a time. */
const CHUNK = 256 * 1024;

/**
 * A tar stream of a file or folder of `root`, whose first entry is called `name`. Sockets and devices are left out:
 * they mean nothing elsewhere. The stream is destroyed with the error when reading fails.
 */
export function packTree(root: RootedFolder, path: string, name: string, signal?: AbortSignal): Readable {
  const archive = pack();
  add(archive, root, path, name, signal)
    .then(() => archive.finalize())
    .catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  return Readable.from(archive);
}

async function add(archive: Pack, root: RootedFolder, path: string, name: string, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const stat = root.entry(path, (entry) => lstatSync(entry));
  const headers = { name, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, mtime: stat.mtime };
  if (stat.isDirectory()) {
    await entry(archive, { ...headers, type: "directory" });
    const children = root.entry(path, (folder) => readdirSync(`${folder}/.`)).sort();
    for (const child of children) await add(archive, root, `${path}/${child}`, `${name}/${child}`, signal);
  } else if (stat.isSymbolicLink()) {
    await entry(archive, { ...headers, type: "symlink", linkname: root.entry(path, (link) => readlinkSync(link)) });
  } else if (stat.isFile()) {
    await addFile(archive, root, path, { ...headers, type: "file", size: stat.size });
  }
}

type EntryHeader = Partial<Header> & Pick<Header, "name">;

function entry(archive: Pack, headers: EntryHeader): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(headers, (error) => (error ? reject(error) : resolve()));
  });
}

async function addFile(
  archive: Pack,
  root: RootedFolder,
  path: string,
  headers: EntryHeader & { size: number },
): Promise<void> {
  const fd = root.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const packed = Promise.withResolvers<void>();
  try {
    const sink = archive.entry(headers, (error) => (error ? packed.reject(error) : packed.resolve()));
    // A file that grows meanwhile is cut where its header says; one that shrinks is an error of the archive.
    for (let position = 0; position < headers.size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, headers.size - position));
      const length = readSync(fd, chunk, 0, chunk.length, position);
      if (length === 0) break;
      position += length;
      if (!sink.write(chunk.subarray(0, length))) await once(sink, "drain");
    }
    sink.end(undefined);
    await packed.promise;
  } finally {
    closeSync(fd);
  }
}
