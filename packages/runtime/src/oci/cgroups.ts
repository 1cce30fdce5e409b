import { readdirSync, readFileSync, rmdirSync } from "node:fs";
import { backoff, delay, errnoOf } from "@switchyard/base";
import { endProcess, identify, type ProcessId } from "@switchyard/linux";

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
function processesOf(name: string): ProcessId[] {
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

/** Milliseconds after which a cgroup that cannot be removed is left. */
const REMOVAL_LIMIT = 3_000;

/**
 * Kills every process of a cgroup and removes it from all hierarchies. The kernel says busy until an ended process has
 * left the processor for good, and version 1 has no event for that: it is tried again with back-off.
 */
export async function endCgroup(name: string): Promise<void> {
  const until = performance.now() + REMOVAL_LIMIT;
  for (const wait of backoff(1, 50)) {
    await Promise.all(processesOf(name).map((id) => endProcess(id, 0)));
    const left = foldersOf(name)
      .flatMap(below)
      .filter((folder) => !removed(folder));
    if (left.length === 0 || performance.now() > until) return;
    await delay(wait);
  }
}

function removed(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return errnoOf(error) === "ENOENT";
  }
}

/** A folder and those below it, the deepest first. */
function below(folder: string): string[] {
  return [...children(folder).flatMap((child) => below(`${folder}/${child}`)), folder];
}
