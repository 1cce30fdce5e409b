/** A disk copied, whole and as it is now, to a file of its own. */
import { chmodSync, chownSync, constants, copyFileSync, existsSync, linkSync, mkdirSync, rmSync } from "node:fs";
import { errnoOf, YardError } from "@switchyard/base";
import { diskNode } from "./command.ts";
import { type ImageLayer, makeImage } from "./images.ts";
import { runJob } from "./jobs.ts";
import type { MachinePaths } from "./paths.ts";
import type { QmpClient, QmpPatience } from "./qmp.ts";
import type { VmUser } from "./types.ts";

/** The copy while it is made, in the only folder where QEMU may write. */
const DRAFT = "save.qcow2";

/** @throws YardError `vm.save-exists` */
export function checkTarget(file: string): void {
  if (existsSync(file))
    throw new YardError("vm.save-exists", `${file} is there already`, { hint: "name a file that is not there" });
}

/**
 * Calls `fill` with a path, and gives what it has made there its place.
 *
 * @throws YardError `vm.save-exists`, `vm.save-failed`
 */
export async function saveTo(
  file: string,
  machine: MachinePaths,
  fill: (draft: string) => Promise<void>,
): Promise<void> {
  const draft = `${machine.work}/${DRAFT}`;
  mkdirSync(machine.work, { recursive: true });
  rmSync(draft, { force: true });
  try {
    await fill(draft);
    chownSync(draft, 0, 0);
    chmodSync(draft, 0o644);
    place(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Never over a file that has come meanwhile. */
function place(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "EEXIST") checkTarget(file);
    if (code !== "EXDEV" && code !== "EPERM") throw saveFailed(file, cause);
    try {
      copyFileSync(draft, file, constants.COPYFILE_EXCL);
    } catch (error) {
      if (errnoOf(error) === "EEXIST") checkTarget(file);
      // It was not there before: what is there now is a part of ours.
      rmSync(file, { force: true });
      throw saveFailed(file, error);
    }
  }
}

function saveFailed(file: string, cause: unknown): YardError {
  const why = reasons[errnoOf(cause) ?? ""] ?? (cause instanceof Error ? cause.message : String(cause));
  return new YardError("vm.save-failed", `${file} cannot be written: ${why}`, { cause });
}
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "no room is left there",
  ENOENT: "there is no such folder",
};

/** The disk as it is when this is called, while the machine goes on and writes to it. */
export async function backUp(
  qmp: QmpClient,
  layer: ImageLayer,
  draft: string,
  user: VmUser,
  patience: QmpPatience,
): Promise<void> {
  await makeImage(draft, layer.size, patience.signal);
  chownSync(draft, user.uid, user.gid);
  const target = "save";
  // By its name alone: QEMU is in that folder, and may not come there any other way.
  const file = { driver: "file", filename: DRAFT };
  // Somebody who was killed may have left it.
  await qmp.execute("blockdev-del", { "node-name": target }).catch(() => undefined);
  await qmp.execute("blockdev-add", { driver: "qcow2", "node-name": target, file }, patience);
  try {
    const args = { "job-id": target, device: diskNode(0), target, sync: "full", "auto-dismiss": false };
    await runJob(qmp, target, () => qmp.execute("blockdev-backup", args, patience), patience);
  } finally {
    await qmp.execute("blockdev-del", { "node-name": target }).catch(() => undefined);
  }
}
