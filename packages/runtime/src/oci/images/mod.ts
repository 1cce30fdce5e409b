import { existsSync, statSync } from "node:fs";
import { YardError } from "@switchyard/base";
import type { OciPaths } from "../paths.ts";
import { busyboxImage } from "./busybox.ts";
import { type Image, NO_CONFIG } from "./types.ts";

export type { Image, ImageConfig } from "./types.ts";

/** Suffixes of the archives that a name may stand for, in the order in which they are looked for. */
const SUFFIXES = ["", ".tar", ".tar.gz", ".tgz", ".tar.zst"];

/**
 * The root file system of an image: `busybox` is made from the host's static busybox; any other name is a folder or
 * an archive (of `docker save`, an OCI layout, or a plain root file system) in the image folder, or anywhere if it is an
 * absolute path.
 *
 * @throws YardError `runtime.image-absent`, `runtime.image-bad`, `runtime.busybox-missing`
 */
export async function ensureImage(paths: OciPaths, name: string): Promise<Image> {
  if (name.startsWith("/")) return pathImage(paths, name);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.:@/-]*$/.test(name) || name.split("/").includes(".."))
    throw new YardError("runtime.image-absent", `${JSON.stringify(name)} cannot be the name of an image`, {
      hint: `name busybox, or a folder or archive in ${paths.imageSource}`,
    });
  const plain = name.endsWith(":latest") ? name.slice(0, -":latest".length) : name;
  const path = [plain, plain.replace(/[:/]/g, "_")]
    .flatMap((stem) => SUFFIXES.map((suffix) => `${paths.imageSource}/${stem}${suffix}`))
    .find((candidate) => existsSync(candidate));
  if (path !== undefined) return pathImage(paths, path);
  if (plain === "busybox") return busyboxImage(paths.images);
  throw new YardError("runtime.image-absent", `the image ${name} is not in ${paths.imageSource}`, {
    hint: `put it there: docker save ${name} -o ${paths.imageSource}/${plain.replace(/[:/]/g, "_")}.tar, or unpack a root file system into a folder`,
  });
}

async function pathImage({ images }: OciPaths, path: string): Promise<Image> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new YardError("runtime.image-absent", `there is no image ${path}`);
  if (stat.isDirectory() && !existsSync(`${path}/oci-layout`)) return { root: path, config: NO_CONFIG };
  const { archiveImage } = await import("./archive.ts");
  return archiveImage(images, path);
}

/** A folder of the user's as an image. @throws YardError `runtime.rootfs-absent` */
export function folderImage(path: string): Image {
  if (!(statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false))
    throw new YardError("runtime.rootfs-absent", `the root file system ${path} is not a folder`, {
      hint: "give the path of an unpacked root file system",
    });
  return { root: path, config: NO_CONFIG };
}
