/** Processes told apart by pid and start time, so that a reused pid is never mistaken for ours. */
import { readdirSync, readFileSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { errno, errnoName, libc, SystemCallError } from "./ffi.ts";
import { watchReadable } from "./readiness.ts";

/** A process and no other that may get its pid later. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/<pid>/stat (proc(5)). */
  readonly startTime: bigint;
}

/** When a process started, in clock ticks after boot; undefined when there is none with this pid (or only its remains). */
export function startTime(pid: number): bigint | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses and may hold anything, also parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const ticks = fields[19];
  // A zombie has ended; it only waits for its parent to notice.
  if (ticks === undefined || state === "Z" || state === "X") return undefined;
  return BigInt(ticks);
}

/** PF_EXITING of include/linux/sched.h, in the flags of /proc/<pid>/stat. */
const EXITING = 0x4;

/**
 * Whether a process has begun to end: none of its code runs any more, though the kernel may take many seconds yet to
 * close what it had open.
 */
export function isEnding(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" || (Number(fields[6]) & EXITING) !== 0;
  } catch {
    return true;
  }
}

/** The process with this pid as it is now; undefined when there is none. */
export function identify(pid: number): ProcessId | undefined {
  const started = startTime(pid);
  return started === undefined ? undefined : { pid, startTime: started };
}

export function isAlive(id: ProcessId): boolean {
  return startTime(id.pid) === id.startTime;
}

/**
 * The sessions' first processes that were started with a variable in their environment, by its value (proc(5)). What
 * they started has the variable too, but is in their session.
 */
export function markedSessions(variable: string): Map<string, ProcessId & { readonly argv: readonly string[] }> {
  const found = new Map<string, ProcessId & { readonly argv: readonly string[] }>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      const mark = list(`/proc/${pid}/environ`).find((it) => it.startsWith(`${variable}=`));
      const id = mark === undefined ? undefined : identify(pid);
      if (mark === undefined || id === undefined || sessionOf(pid) !== pid) continue;
      found.set(mark.slice(variable.length + 1), { ...id, argv: list(`/proc/${pid}/cmdline`) });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** Field 6 of /proc/<pid>/stat. */
function sessionOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
}

/** Strings, each ended by a zero byte. */
function list(file: string): string[] {
  return readFileSync(file, "utf8").split("\0").slice(0, -1);
}

/** pidfd_open(2) and pidfd_send_signal(2): the same numbers on all architectures. */
const SYS_pidfd_send_signal = 424n;
const SYS_pidfd_open = 434n;
const SIGKILL = 9;
const SIGTERM = 15;

/** A descriptor of exactly this process, undefined when it has ended. @throws SystemCallError */
function openProcess(id: ProcessId): number | undefined {
  const fd = libc().syscall(SYS_pidfd_open, BigInt(id.pid), 0n, 0n, 0n);
  if (fd < 0) {
    const number = errno();
    if (["ESRCH", "EINVAL"].includes(errnoName(number))) return undefined;
    throw new SystemCallError("pidfd_open", number, String(id.pid));
  }
  // Only now is the pid pinned to one process.
  if (isAlive(id)) return fd;
  libc().close(fd);
  return undefined;
}

/**
 * Calls `listener` once when the process ends, or soon when it has ended already; never within this call. No child
 * of ours need it be. Disposing of the watch ends it without a call.
 *
 * @throws SystemCallError, YardError `linux.no-ffi`
 */
export function watchExit(id: ProcessId, listener: () => void): Disposable {
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    listener();
  };
  const fd = openProcess(id);
  if (fd === undefined) {
    queueMicrotask(once);
    return {
      [Symbol.dispose]: () => {
        done = true;
      },
    };
  }
  const end = () => {
    watch[Symbol.dispose]();
    libc().close(fd);
  };
  const watch = watchReadable(fd, () => {
    end();
    once();
  });
  return {
    [Symbol.dispose]: () => {
      if (done) return;
      done = true;
      end();
    },
  };
}

/**
 * Ends a process: SIGTERM, and SIGKILL when it lives on after `grace` milliseconds. One that has ended is no failure;
 * another that has got its pid is left alone.
 *
 * @throws YardError `process.still-alive` when it lives five seconds after SIGKILL; `linux.call-failed` when it may not be signalled
 */
export async function endProcess(id: ProcessId, grace: number): Promise<void> {
  const fd = openProcess(id);
  if (fd === undefined) return;
  try {
    const ended = Promise.withResolvers<true>();
    using _watch = watchReadable(fd, () => ended.resolve(true));
    if (grace > 0) {
      signal(fd, id, SIGTERM);
      if (await within(grace, ended.promise)) return;
    }
    signal(fd, id, SIGKILL);
    if (!(await within(5_000, ended.promise)))
      throw new YardError("process.still-alive", `process ${id.pid} does not end`, {
        hint: `look at it: ps -l ${id.pid}`,
      });
  } finally {
    libc().close(fd);
  }
}

function signal(fd: number, id: ProcessId, number: number): void {
  if (libc().syscall(SYS_pidfd_send_signal, BigInt(fd), BigInt(number), 0n, 0n) === 0) return;
  const failure = errno();
  if (errnoName(failure) !== "ESRCH") throw new SystemCallError("pidfd_send_signal", failure, String(id.pid));
}

function within(milliseconds: number, event: Promise<true>): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), milliseconds);
  return Promise.race([event, late.promise]).finally(() => clearTimeout(timer));
}

/** pidfd_getfd(2), Linux 5.6. */
const SYS_pidfd_getfd = 438n;

/**
 * Files that another process has open, by their numbers there, as descriptors of ours of the same open files: what one
 * of both reads, the other does not. The caller closes them.
 *
 * @throws YardError `process.gone`; `linux.call-failed` when a number is not open there, or the kernel denies it
 */
export function borrowFiles(pid: number, numbers: readonly number[]): number[] {
  const id = identify(pid);
  const process = id && openProcess(id);
  if (process === undefined) throw new YardError("process.gone", `there is no process ${pid} any more`);
  const borrowed: number[] = [];
  try {
    for (const number of numbers) {
      const fd = libc().syscall(SYS_pidfd_getfd, BigInt(process), BigInt(number), 0n, 0n);
      if (fd < 0) throw new SystemCallError("pidfd_getfd", errno(), `${number} of process ${pid}`);
      borrowed.push(fd);
    }
    return borrowed;
  } catch (error) {
    for (const fd of borrowed) libc().close(fd);
    throw error;
  } finally {
    libc().close(process);
  }
}
