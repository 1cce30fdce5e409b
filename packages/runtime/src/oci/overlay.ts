import { closeSync, constants, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { mount, unmount } from "../files/libc.ts";
import type { Bundle } from "./paths.ts";

/** Whether something is mounted at exactly this path, as our mount namespace has it. */
export function isMounted(path: string): boolean {
  return mountPoints().some((point) => point === path);
}

/** /proc/self/mountinfo writes space, tab, newline and backslash in octal (proc_pid_mountinfo(5)). */
function mountPoints(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .map((point) =>
      point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}

/**
 * Mounts a bundle's root: the image below, read-only and shared by all its containers, and what this one writes above.
 * A call of our own, and no program: one that outlived us would still mount when somebody else has long gone on.
 *
 * @throws YardError `runtime.overlay-failed`
 */
export function mountRoot(bundle: Bundle): void {
  if (isMounted(bundle.rootfs)) return;
  // Left behind by a mount that ended hard; overlayfs refuses a work folder that another kernel has filled.
  rmSync(bundle.work, { recursive: true, force: true });
  for (const folder of [bundle.upper, bundle.work, bundle.rootfs]) mkdirSync(folder, { recursive: true });
  const open: number[] = [];
  // By descriptor, so that no character of a path has to be escaped in the options.
  const option = (name: string, path: string) => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    open.push(fd);
    return `${name}=/proc/self/fd/${fd}`;
  };
  try {
    const layers = [option("lowerdir", bundle.lower), option("upperdir", bundle.upper), option("workdir", bundle.work)];
    mount("overlay", bundle.rootfs, layers.join(","));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new YardError("runtime.overlay-failed", `the root of a container cannot be mounted: ${reason}`, {
      hint: "the state folder must be on a file system that overlayfs takes as upper layer (ext4, xfs, btrfs, tmpfs)",
      cause,
    });
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

/** Unmounts whatever is mounted at a bundle's root, however often. */
export function unmountRoot(bundle: Bundle): void {
  for (const point of mountPoints()) if (point === bundle.rootfs) unmount(point);
}
