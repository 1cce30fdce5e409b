/**
 * Files and folders whose change is waited for, by inotify(7). Bun's own `fs.watch` lets all watches of a file go deaf when one of
 * them is closed (seen with Bun 1.4.5).
 */
import { checked, cstring, libc, littleEndian, O_CLOEXEC, O_NONBLOCK } from "./ffi.ts";
import { watchReadable } from "./readiness.ts";

const IN_MODIFY = 0x2;
/** Moved from and to, created, deleted. */
const IN_ENTRIES = 0x40 | 0x80 | 0x100 | 0x200;
/** `struct inotify_event` without its name: int wd, then mask, cookie and length of the name. */
const EVENT = 16;

/** One instance for all watches of the process, of which a user has few. The same file gets the same number. */
class Inotify {
  readonly #fd = checked(libc().inotify_init1(O_CLOEXEC | O_NONBLOCK), "inotify_init1");
  readonly #listeners = new Map<number, Set<() => void>>();
  readonly #buffer = Buffer.alloc(64 * 1024);

  constructor() {
    watchReadable(this.#fd, () => this.#read());
  }

  add(path: string, events: number, listener: () => void): Disposable {
    const number = checked(libc().inotify_add_watch(this.#fd, cstring(path), events), "inotify_add_watch", path);
    const listeners = this.#listeners.get(number) ?? new Set();
    this.#listeners.set(number, listeners);
    // Its own, should somebody add the same function twice.
    const call = () => listener();
    listeners.add(call);
    return {
      [Symbol.dispose]: () => {
        if (!listeners.delete(call) || listeners.size > 0) return;
        this.#listeners.delete(number);
        // A file that has been deleted has taken its watch with it.
        libc().inotify_rm_watch(this.#fd, number);
      },
    };
  }

  #read(): void {
    const changed = new Set<number>();
    const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.length);
    for (;;) {
      const length = libc().read(this.#fd, this.#buffer, BigInt(this.#buffer.length));
      if (length <= 0) break;
      for (let at = 0; at + EVENT <= length; at += EVENT + view.getUint32(at + 12, littleEndian))
        changed.add(view.getInt32(at, littleEndian));
    }
    for (const number of changed) for (const listener of [...(this.#listeners.get(number) ?? [])]) listener();
  }
}

let inotify: Inotify | undefined;

/**
 * Calls `listener` soon after a file has been written to or cut, once for several such changes in a row.
 *
 * @throws YardError `linux.call-failed` when there is no such file, `linux.no-ffi`
 */
export function watchFile(path: string, listener: () => void): Disposable {
  inotify ??= new Inotify();
  return inotify.add(path, IN_MODIFY, listener);
}

/**
 * Calls `listener` soon after an entry of a folder has come, gone or been renamed, once for several in a row.
 *
 * @throws as {@link watchFile}
 */
export function watchFolder(path: string, listener: () => void): Disposable {
  inotify ??= new Inotify();
  return inotify.add(path, IN_ENTRIES, listener);
}
