import { checked, cstring, errno, errnoName, libc, littleEndian, O_CLOEXEC, O_RDONLY, SystemCallError } from "./ffi.ts";

/** Our own mounts; it becomes exceptional with each change of them (proc_pid_mountinfo(5)). */
const MOUNTS = "/proc/thread-self/mountinfo";
const POLLPRI = 0x2;

/** Tells whether anything was mounted or unmounted, by whomever, since it was last asked, or else made. */
export class MountWatch implements Disposable {
  readonly #fd = checked(libc().open(cstring(MOUNTS), O_RDONLY | O_CLOEXEC, 0), "open", MOUNTS);
  /** `struct pollfd`: the descriptor, then what is asked and what is so, 16 bits each. */
  readonly #question = Buffer.alloc(8);

  constructor() {
    const view = new DataView(this.#question.buffer, this.#question.byteOffset, this.#question.byteLength);
    view.setInt32(0, this.#fd, littleEndian);
    view.setInt16(4, POLLPRI, littleEndian);
  }

  /** @throws SystemCallError */
  changed(): boolean {
    for (;;) {
      const count = libc().poll(this.#question, 1n, 0);
      if (count >= 0) return count > 0;
      if (errnoName(errno()) !== "EINTR") throw new SystemCallError("poll", errno(), MOUNTS);
    }
  }

  [Symbol.dispose](): void {
    libc().close(this.#fd);
  }
}
