import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { run, tryRun, YardError } from "@switchyard/base";
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
 * The option names folders relative to the bundle, so that no path has to be escaped in it.
 *
 * @throws YardError `runtime.overlay-failed`
 */
export async function mountRoot(bundle: Bundle, signal?: AbortSignal): Promise<void> {
  if (isMounted(bundle.rootfs)) return;
  // Left behind by a mount that ended hard; overlayfs refuses a work folder that another kernel has filled.
  rmSync(bundle.work, { recursive: true, force: true });
  for (const folder of [bundle.upper, bundle.work, bundle.rootfs]) mkdirSync(folder, { recursive: true });
  const result = await tryRun(
    ["mount", "-t", "overlay", "overlay", "-o", "lowerdir=lower,upperdir=upper,workdir=work", bundle.rootfs],
    { cwd: bundle.path, ...(signal === undefined ? {} : { signal }) },
  );
  if (result.code === 0 || isMounted(bundle.rootfs)) return;
  throw new YardError("runtime.overlay-failed", `${bundle.rootfs} cannot be mounted: ${result.stderr.trim()}`, {
    hint: "the state folder must be on a file system that overlayfs takes as upper layer (ext4, xfs, btrfs, tmpfs)",
  });
}

/** Unmounts whatever is mounted at a bundle's root, however often. */
export async function unmountRoot(bundle: Bundle): Promise<void> {
  for (let times = mountPoints().filter((point) => point === bundle.rootfs).length; times > 0; times--)
    // Lazily: a process that is just ending may still hold it.
    await run(["umount", "--lazy", bundle.rootfs]);
}
