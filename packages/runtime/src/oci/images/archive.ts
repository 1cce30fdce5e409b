import { createHash } from "node:crypto";
import { closeSync, createReadStream, existsSync, mkdirSync, openSync, readSync, rmSync, statSync } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { YardError } from "@switchyard/base";
import { RootedFolder } from "../../files/rooted.ts";
import { unpackTree } from "../../files/unpack.ts";
import { readOptional, writeWhole } from "../record.ts";
import { type ArchiveContent, archiveContent, layerIds, readConfig } from "./layout.ts";
import { type Image, NO_CONFIG } from "./types.ts";
import { once } from "./unpacked.ts";

/**
 * An archive (or a folder in the OCI layout) as an image, unpacked once for each content: what it is now is recognised
 * by the SHA-256 of the file, which is computed again only when the file has changed.
 *
 * @throws YardError `runtime.image-bad`, `runtime.archive-bad`
 */
export async function archiveImage(images: string, path: string): Promise<Image> {
  const folder = await once(`${images}/archive-${await digestOf(images, path)}`, async (draft) => {
    mkdirSync(`${draft}/root`, { mode: 0o755 });
    const isFolder = statSync(path).isDirectory();
    const outer = isFolder ? path : `${draft}/archive`;
    if (!isFolder) {
      mkdirSync(outer);
      using target = new RootedFolder(outer);
      await unpackTree(target, await decompressed(path));
    }
    const content = archiveContent(outer);
    if (content !== undefined) await verify(content, path);
    await fill(draft, outer, content, path);
    if (!isFolder) rmSync(outer, { recursive: true, force: true });
  });
  return { root: `${folder}/root`, config: readConfig(readOptional(`${folder}/config.json`)) };
}

/** Refuses what is not what its digests say, before any of it is unpacked. @throws YardError `runtime.image-bad` */
async function verify({ blobs, layers, config }: ArchiveContent, path: string): Promise<void> {
  const differs = (what: string) =>
    new YardError("runtime.image-bad", `${what} of ${path} is not what its digest says`, {
      hint: "it is damaged or has been changed: fetch it again",
    });
  for (const { file, algorithm, digest } of blobs)
    if ((await hashOf(createReadStream(file), algorithm)) !== digest) throw differs(file.replace(/^.*\//, "blob "));
  const ids = layerIds(config);
  if (ids.length === 0) return;
  if (ids.length !== layers.length)
    throw new YardError("runtime.image-bad", `${path} has ${layers.length} layers, its configuration ${ids.length}`);
  for (const [n, layer] of layers.entries())
    if (`sha256:${await hashOf(await decompressed(layer), "sha256")}` !== ids[n]) throw differs(`layer ${n + 1}`);
}

async function hashOf(stream: Readable, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  try {
    await pipeline(stream, hash);
  } catch (cause) {
    throw new YardError("runtime.archive-bad", "a part of an image is cut short or damaged", { cause });
  }
  return hash.digest("hex");
}

async function fill(draft: string, outer: string, content: ArchiveContent | undefined, path: string): Promise<void> {
  const root = `${draft}/root`;
  using target = new RootedFolder(root);
  if (content === undefined) {
    // A plain root file system: read once more rather than moved, so that owner and mode of its top folder stay.
    if (!existsSync(`${outer}/bin`) && !existsSync(`${outer}/usr`))
      throw new YardError("runtime.image-bad", `${path} holds neither an image nor a root file system`, {
        hint: "make it with docker save, or pack a root file system so that /bin or /usr is at its top",
      });
    await unpackTree(target, await decompressed(path));
    return;
  }
  for (const layer of content.layers) {
    await unpackTree(target, await decompressed(layer), { whiteouts: true });
  }
  writeWhole(`${draft}/config.json`, content.config ?? JSON.stringify(NO_CONFIG));
}

/** A file's content, unpacked by what its first bytes say that it is. */
async function decompressed(path: string): Promise<Readable> {
  const file = createReadStream(path);
  const magic = readStart(path);
  if (magic.startsWith("1f8b")) return file.pipe(createGunzip()).on("close", () => file.destroy());
  if (magic.startsWith("28b52ffd")) return file.pipe(createZstdDecompress()).on("close", () => file.destroy());
  if (magic.startsWith("fd377a58") || magic.startsWith("425a68")) {
    file.destroy();
    throw new YardError("runtime.image-bad", `${path} is compressed in a way that is not understood`, {
      hint: "unpack it with xz -d or bunzip2 first; gzip and zstd are understood",
    });
  }
  return file;
}

function readStart(path: string): string {
  const fd = openSync(path, "r");
  const bytes = Buffer.alloc(6);
  readSync(fd, bytes, 0, 6, 0);
  closeSync(fd);
  return bytes.toString("hex");
}

/** @returns 32 hexadecimal digits */
async function digestOf(images: string, path: string): Promise<string> {
  const file = statSync(path).isDirectory() ? `${path}/index.json` : path;
  const { size, mtimeMs, ino, dev } = statSync(file);
  const sign = `${size} ${mtimeMs} ${ino} ${dev}`;
  const memo = `${images}/digests/${createHash("sha256").update(path).digest("hex").slice(0, 32)}`;
  const [known, digest] = readOptional(memo)?.split("\n") ?? [];
  if (known === sign && digest !== undefined) return digest;
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  const found = hash.digest("hex").slice(0, 32);
  mkdirSync(`${images}/digests`, { recursive: true });
  writeWhole(memo, `${sign}\n${found}`);
  return found;
}
