/**
 * Files and folders whose change is waited for, by inotify(7). Bun's own `fs.watch` lets all watches of a file go deaf when one of
 * them is closed (seen with Bun 1.4.5).
 */
import { checked, cstring, libc, littleEndian, O_CLOEXEC, O_NONBLOCK } from "./ffi.ts";
import { watchReadable } from "./readiness.ts";

const IN_MODIFY = 0x2;
/** Moved from and to, created, deleted. */
const IN_ENTRIES = 0x40 | 0x80 | 0x100 | 0x200;
/** The queue was full: what was in it is lost. */
const IN_Q_OVERFLOW = 0x4000;
/** More events for a file that is watched already; without it they would replace the others. */
const IN_MASK_ADD = 0x20000000;
/** `struct inotify_event` without its name: int wd, then mask, cookie and length of the name. */
const EVENT = 16;

/** Names of entries of a folder; of a file itself none. Undefined: any may have changed. */
export type ChangedNames = ReadonlySet<string> | undefined;
type Listener = (names: ChangedNames) => void;

/** One instance for all watches of the process, of which a user has few. The same file gets the same number. */
class Inotify {
  readonly #fd = checked(libc().inotify_init1(O_CLOEXEC | O_NONBLOCK), "inotify_init1");
  readonly #listeners = new Map<number, Set<Listener>>();
  readonly #buffer = Buffer.alloc(64 * 1024);

  constructor() {
    watchReadable(this.#fd, () => this.#read());
  }

  add(path: string, events: number, listener: Listener): Disposable {
    const mask = events | IN_MASK_ADD;
    const number = checked(libc().inotify_add_watch(this.#fd, cstring(path), mask), "inotify_add_watch", path);
    const listeners = this.#listeners.get(number) ?? new Set();
    this.#listeners.set(number, listeners);
    // Its own, should somebody add the same function twice.
    const call: Listener = (names) => listener(names);
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
    const changed = new Map<number, Set<string>>();
    let lost = false;
    const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.length);
    for (;;) {
      const length = libc().read(this.#fd, this.#buffer, BigInt(this.#buffer.length));
      if (length <= 0) break;
      for (let at = 0; at + EVENT <= length; ) {
        const end = at + EVENT + view.getUint32(at + 12, littleEndian);
        const number = view.getInt32(at, littleEndian);
        if ((view.getUint32(at + 4, littleEndian) & IN_Q_OVERFLOW) !== 0) lost = true;
        const names = changed.get(number) ?? new Set();
        // Filled up with NULs.
        const name = this.#buffer.toString("utf8", at + EVENT, end).split("\0", 1)[0] ?? "";
        changed.set(number, name === "" ? names : names.add(name));
        at = end;
      }
    }
    if (lost) for (const listeners of [...this.#listeners.values()]) for (const tell of [...listeners]) tell(undefined);
    else
      for (const [number, names] of changed) for (const tell of [...(this.#listeners.get(number) ?? [])]) tell(names);
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
 * Calls `listener` soon after an entry of a folder has come, gone or been renamed, once for several in a row, with their
 * names.
 *
 * @param options `writes`: also after one of its files has been written to or cut
 * @throws as {@link watchFile}
 */
export function watchFolder(
  path: string,
  listener: (names: ChangedNames) => void,
  options: { readonly writes?: boolean } = {},
): Disposable {
  inotify ??= new Inotify();
  return inotify.add(path, options.writes ? IN_ENTRIES | IN_MODIFY : IN_ENTRIES, listener);
}
