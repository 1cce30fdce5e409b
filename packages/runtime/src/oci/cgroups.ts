import { readdirSync, readFileSync, rmdirSync } from "node:fs";
import { identify, type ProcessId } from "@switchyard/linux";

const ROOT = "/sys/fs/cgroup";

/**
 * The folders of a cgroup directly below the root, in each hierarchy that the host has: the unified one at
 * `/sys/fs/cgroup`, and one a controller below it where cgroups version 1 are mounted (cgroups(7)).
 */
function foldersOf(name: string): string[] {
  return [ROOT, ...children(ROOT).map((child) => `${ROOT}/${child}`)]
    .filter((hierarchy) => children(hierarchy).includes(name))
    .map((hierarchy) => `${hierarchy}/${name}`);
}

function children(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** Every process in a cgroup or below it. */
export function processesOf(name: string): ProcessId[] {
  const pids = foldersOf(name)
    .flatMap(below)
    .flatMap((folder) => {
      try {
        return readFileSync(`${folder}/cgroup.procs`, "utf8")
          .split("\n")
          .filter((line) => line !== "");
      } catch {
        return [];
      }
    });
  return [...new Set(pids)].flatMap((pid) => identify(Number(pid)) ?? []);
}

/** Removes a cgroup without processes, if it is there. */
export function removeCgroup(name: string): void {
  for (const folder of foldersOf(name).flatMap(below)) {
    try {
      rmdirSync(folder);
    } catch {
      // Gone already, or a process that is just ending is still counted; the next removal takes it.
    }
  }
}

/** A folder and those below it, the deepest first. */
function below(folder: string): string[] {
  return [...children(folder).flatMap((child) => below(`${folder}/${child}`)), folder];
}
