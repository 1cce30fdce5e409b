import { readdirSync, readFileSync } from "node:fs";

/**
 * The environment variable that marks the processes of one test file: children inherit it, so what still carries it
 * after the file has ended was left behind by that file, whoever its parent is by then.
 */
export const RUN_MARK = "SWITCHYARD_TEST_RUN";

/** A process, told apart from a later one of the same number by its start. */
export interface ProcessSeen {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of `proc_pid_stat(5)`. */
  readonly startTime: string;
  readonly command: string;
}

/** Every process of this machine that can be read; kernel threads and zombies are left out. */
export function processes(): ProcessSeen[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

/** The processes whose environment marks them as of test run `run`. */
export function markedProcesses(run: string): ProcessSeen[] {
  const mark = `${RUN_MARK}=${run}`;
  return processes().filter(({ pid }) => readOr(`/proc/${pid}/environ`, "").split("\0").includes(mark));
}

function readProcess(pid: number): ProcessSeen | undefined {
  const command = readOr(`/proc/${pid}/cmdline`, "").split("\0").join(" ").trim();
  const stat = readOr(`/proc/${pid}/stat`, "");
  // The command name in parentheses may hold anything, so fields are counted from the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startTime = fields[19];
  if (command === "" || startTime === undefined || fields[0] === "Z") return undefined;
  return { pid, startTime, command };
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}
