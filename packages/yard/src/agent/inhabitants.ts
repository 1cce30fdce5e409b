import { readdirSync, readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { endProcess, identify, isEnding, namespaceId, type ProcessId } from "@switchyard/linux";

/**
 * Ends the processes that live in network namespaces, but for ourselves: one pass over /proc for all of them. What a
 * namespace's name is taken from lives on as long as a process does.
 *
 * @param grace milliseconds between SIGTERM and SIGKILL
 */
export async function endProcessesIn(names: readonly string[], grace: number): Promise<void> {
  const namespaces = new Set(names.map((name) => namespaceId({ name })));
  namespaces.delete(undefined);
  if (namespaces.size === 0) return;
  await Promise.all(inhabitants(namespaces).map((id) => endProcess(id, grace)));
}

function inhabitants(namespaces: ReadonlySet<number | undefined>): ProcessId[] {
  const found: ProcessId[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      if (!namespaces.has(statSync(`/proc/${entry}/ns/net`).ino)) continue;
    } catch {
      // It ended meanwhile, or is a kernel thread.
      continue;
    }
    // A switch of a thousand ports that was killed is closing them for seconds.
    const id = isEnding(Number(entry)) ? undefined : identify(Number(entry));
    if (id) found.push(id);
  }
  return found;
}

/**
 * Whether a process would do something about SIGTERM. The first process of a container that has no handler never
 * gets it (pid_namespaces(7)), so that waiting for its end is in vain.
 */
export function handlesTermination(pid: number): boolean {
  try {
    const caught = /^SigCgt:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return caught !== undefined && ((BigInt(`0x${caught}`) >> BigInt(constants.signals.SIGTERM - 1)) & 1n) === 1n;
  } catch {
    return false;
  }
}
