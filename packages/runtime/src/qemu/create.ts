import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { carries, checkContainerName } from "../names.ts";
import { checkConfig } from "./command.ts";
import { checkImage, makeOverlay } from "./images.ts";
import { machinePaths, overlayPath, type VmPaths } from "./paths.ts";
import { readConfig } from "./record.ts";
import { makeSeed } from "./seed.ts";
import type { VmConfig } from "./types.ts";

/**
 * Makes a machine's folder, whole or not at all, after a look at all that it will need.
 *
 * @returns false when it is there already
 * @throws YardError `vm.bad-config`, `vm.name-taken`, `vm.image-…`, `vm.file-absent`, `vm.seed-…`, `runtime.bad-name`
 */
export async function createMachine(paths: VmPaths, config: VmConfig, signal?: AbortSignal): Promise<boolean> {
  checkContainerName(config.name);
  checkConfig(config);
  const there = readConfig(paths, config.name);
  if (there !== undefined) {
    if (carries(there.labels, config.labels)) return false;
    throw new YardError("vm.name-taken", `another virtual machine is called ${config.name}`, {
      hint: "remove or rename it; machines that do not carry our labels are never touched",
    });
  }
  for (const disk of config.disks) await checkImage(disk, signal);
  for (const file of [...config.isos, config.kernel?.image, config.kernel?.initrd])
    if (file !== undefined && !existsSync(file))
      throw new YardError("vm.file-absent", `there is no file ${file}`, { where: file, hint: "check the path" });
  const draft = machinePaths(paths, `.new-${config.name}-${process.pid}`);
  rmSync(draft.folder, { recursive: true, force: true });
  mkdirSync(draft.folder, { recursive: true, mode: 0o700 });
  try {
    for (const [index, disk] of config.disks.entries())
      if (!disk.persistent) await makeOverlay(overlayPath(draft, index), disk, signal);
    if (config.seed !== undefined) await makeSeed(draft.seed, config.seed, signal);
    writeFileSync(draft.consoleLog, "", { mode: 0o600 });
    writeFileSync(draft.record, JSON.stringify(config), { mode: 0o600 });
    renameSync(draft.folder, machinePaths(paths, config.name).folder);
    return true;
  } catch (error) {
    rmSync(draft.folder, { recursive: true, force: true });
    // Somebody else has made it meanwhile.
    if (readConfig(paths, config.name) === undefined) throw error;
    return false;
  }
}
