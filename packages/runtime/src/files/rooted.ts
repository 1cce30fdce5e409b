/**
 * File operations that cannot leave a folder, whatever symbolic links lie in it and whoever changes them meanwhile:
 * every path is resolved by the kernel with that folder as its root (openat2(2), RESOLVE_IN_ROOT; Linux 5.6).
 * They serve what was written by others: archives, and the file systems of running containers.
 */
import { closeSync, constants, openSync } from "node:fs";
import { FileError, openat2 } from "./libc.ts";

export { FileError } from "./libc.ts";

const RESOLVE_IN_ROOT = 0x10n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

/** An open folder that is the root of every path given to it. */
export class RootedFolder implements Disposable {
  readonly #fd: number;

  /** @param path is trusted, and followed as usual */
  constructor(path: string) {
    this.#fd = openSync(path, O_PATH | constants.O_DIRECTORY | O_CLOEXEC);
  }

  /** Opens a file in it. The caller closes the descriptor. @throws FileError */
  open(path: string, flags: number, mode = 0): number {
    return openat2(this.#fd, path === "" ? "." : path, {
      flags: flags | O_CLOEXEC,
      mode,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
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
