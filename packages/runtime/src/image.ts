import type { EngineOptions } from "./types.ts";

/**
 * Has an image of the oci engine ready before a container of it is made: the built-in `busybox`, or a folder or an
 * archive in the image folder, unpacked.
 *
 * @returns the folder of its root file system, to be left unchanged
 * @throws YardError `runtime.image-absent`, `runtime.image-bad`, `runtime.archive-bad`, `runtime.busybox-missing`
 */
export async function ensureImage(
  name: string,
  options: Pick<EngineOptions, "stateDir" | "runDir" | "imageDir">,
): Promise<string> {
  const [images, { ociPaths }] = await Promise.all([import("./oci/images/mod.ts"), import("./oci/paths.ts")]);
  return (await images.ensureImage(ociPaths(options), name)).root;
}
