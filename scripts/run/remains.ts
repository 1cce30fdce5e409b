import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tryRun } from "@switchyard/base";
import { processes, RUN_MARK } from "@switchyard/testing";

/**
 * The number of the test process that a namespace, a link or a yard is named after: `t<topic><pid>…`, `t<topic>_<pid>_…`,
 * with whatever the yard puts before it. Pure.
 */
export function namedAfter(name: string): number | undefined {
  const pid = /(?:^|[_:])t(?!(?:ap|un|eam)\d)[a-z]+_?(\d{3,})/.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/**
 * Ends what a killed run has left: its processes, namespaces and links. Their addresses would stand in the way of
 * this run's. Only what is named after a process that is no more, so a run beside this one keeps its own.
 *
 * @returns what was ended, a line each
 */
export async function endRemains(): Promise<string[]> {
  const ended: string[] = [];
  for (const { pid, command } of processes()) {
    const runner = new RegExp(`(?:^|\0)${RUN_MARK}=(\\d+)-`).exec(read(`/proc/${pid}/environ`))?.[1];
    if (runner === undefined || isAlive(Number(runner))) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
      continue;
    }
    ended.push(`process ${pid}: ${command.slice(0, 160)}`);
  }
  for (const name of list("/run/netns")) {
    if (!isOrphan(name)) continue;
    await tryRun(["ip", "netns", "delete", name]);
    ended.push(`namespace ${name}`);
  }
  // The other ends of the cables into those namespaces go with them, in the background: it does no harm to be first.
  for (const name of list("/sys/class/net")) {
    if (!isOrphan(name) && !isOrphan(read(`/sys/class/net/${name}/ifalias`))) continue;
    await tryRun(["ip", "link", "delete", name]);
    ended.push(`link ${name}`);
  }
  return ended;
}

function isOrphan(name: string): boolean {
  const pid = namedAfter(name);
  return pid !== undefined && !isAlive(pid);
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** The text of a file, empty where it has gone meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
