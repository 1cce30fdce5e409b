import { constants, openSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { errno, errnoName, LOCK_EX, LOCK_NB, libc, SystemCallError } from "./ffi.ts";

/**
 * Takes the lock (flock(2)) of a file, which is made if need be, without waiting. It ends with the process at the
 * latest, however that ends; the file stays, since removing it could let two holders in.
 *
 * @returns what releases it; undefined while another holds it
 * @throws SystemCallError, and Node's error where the file cannot be opened
 */
export function lockFile(path: string): Disposable | undefined {
  // Bun opens files close-on-exec, so no child keeps the lock.
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  if (libc().flock(fd, LOCK_EX | LOCK_NB) < 0) {
    const number = errno();
    libc().close(fd);
    if (errnoName(number) === "EAGAIN") return undefined;
    throw new SystemCallError("flock", number, path);
  }
  let held = true;
  return {
    [Symbol.dispose]: () => {
      if (held) libc().close(fd);
      held = false;
    },
  };
}

/** The process that has taken the lock of a file, as far as it can be told: /proc/locks, proc(5). */
export function lockHolder(path: string): number | undefined {
  const inode = statSync(path, { throwIfNoEntry: false })?.ino;
  if (inode === undefined) return undefined;
  const holders = [...readFileSync("/proc/locks", "utf8").matchAll(/: FLOCK .* (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /g)]
    .filter(([, , at]) => at === String(inode))
    .map(([, pid]) => Number(pid));
  // Another file system may have a file of that number.
  return holders.find((pid) => hasOpen(pid, path));
}

function hasOpen(pid: number, path: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === path);
  } catch {
    return false;
  }
}
