import { readFileSync } from "node:fs";

/** Clock ticks a second in /proc: 100 on every architecture that Linux has kept (sysconf(_SC_CLK_TCK)). */
const TICKS = 100;

/**
 * When a process began, in milliseconds since the epoch; undefined when it is gone. Read here, and not by the linux
 * room, whose system calls would take a tenth of the time of a whole `ps` to load.
 */
export function processBegan(pid: number): number | undefined {
  // Field 22 of proc_pid_stat(5); the second is a name in parentheses that may itself hold some.
  const stat = read(`/proc/${pid}/stat`);
  const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  const boot = /^btime (\d+)$/m.exec(read("/proc/stat"))?.[1];
  if (ticks === undefined || boot === undefined) return undefined;
  return Number(boot) * 1_000 + (Number(ticks) * 1_000) / TICKS;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
