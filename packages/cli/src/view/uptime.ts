import { readFileSync } from "node:fs";
import { startTime } from "@switchyard/linux";

/** Clock ticks a second in /proc: 100 on every architecture that Linux has kept (sysconf(_SC_CLK_TCK)). */
const TICKS = 100;

/** When a process began, in milliseconds since the epoch; undefined when it is gone. See proc_stat(5), `btime`. */
export function processBegan(pid: number): number | undefined {
  const ticks = startTime(pid);
  const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1];
  if (ticks === undefined || boot === undefined) return undefined;
  return Number(boot) * 1_000 + (Number(ticks) * 1_000) / TICKS;
}
