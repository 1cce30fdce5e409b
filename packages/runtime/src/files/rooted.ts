/**
 * File operations that cannot leave a folder, whatever symbolic links lie in it and whoever changes them meanwhile:
 * every path is resolved by the kernel with that folder as its root (openat2(2), RESOLVE_IN_ROOT; Linux 5.6).
 * They serve what was written by others: archives, and the file systems of running containers.
 */
import { dlopen, ptr, read } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";
import { constants as os } from "node:os";

/** The same number on every architecture. */
const SYS_openat2 = 437n;
const RESOLVE_IN_ROOT = 0x10n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

function load() {
  const { symbols } = dlopen("libc.so.6", {
    syscall: { args: ["i64", "i64", "ptr", "ptr", "u64"], returns: "i64" },
    __errno_location: { args: [], returns: "ptr" },
  });
  return symbols;
}
let libc: ReturnType<typeof load> | undefined;

/** A failed file operation, as `node:fs` reports its own. */
export class FileError extends Error {
  readonly code: string;
  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.name = "FileError";
    this.code = code;
  }
}

const errnoNames = new Map(Object.entries(os.errno).map(([name, number]) => [number, name]));

/** An open folder that is the root of every path given to it. */
export class RootedFolder implements Disposable {
  readonly #fd: number;

  /** @param path is trusted, and followed as usual */
  constructor(path: string) {
    this.#fd = openSync(path, O_PATH | constants.O_DIRECTORY | O_CLOEXEC);
  }

  /** Opens a file in it. The caller closes the descriptor. @throws FileError */
  open(path: string, flags: number, mode = 0): number {
    libc ??= load();
    const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), BigInt(mode), RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS]);
    const name = Buffer.from(`${path === "" ? "." : path}\0`);
    const fd = Number(libc.syscall(SYS_openat2, BigInt(this.#fd), ptr(name), ptr(how), 24n));
    if (fd >= 0) return fd;
    const location = libc.__errno_location();
    throw new FileError((location === null ? undefined : errnoNames.get(read.i32(location, 0))) ?? "EIO", path);
  }

  /** Calls `use` with a path to the file or folder that `path` leads to. */
  within<R>(path: string, use: (path: string) => R): R {
    const fd = this.open(path, O_PATH);
    try {
      return use(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Calls `use` with a path whose folder part is fixed, for the calls that act on a name and do not follow it
   * (lstat, mkdir, symlink, link, unlink, rename, lchown). `path` must not end in `.` or `..`.
   */
  entry<R>(path: string, use: (path: string) => R): R {
    const cut = path.lastIndexOf("/");
    const base = path.slice(cut + 1);
    if (base === "" || base === "." || base === "..") throw new FileError("EINVAL", path);
    const fd = this.open(cut < 0 ? "." : path.slice(0, cut + 1), O_PATH | constants.O_DIRECTORY);
    try {
      return use(`/proc/self/fd/${fd}/${base}`);
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
