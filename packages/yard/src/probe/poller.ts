import { POLLIN, POLLOUT, poll } from "./libc.ts";

/** The longest that the thread waits in the kernel, in milliseconds: signals and other work are served in between. */
const SLICE = 10;

interface Waiter {
  readonly fd: number;
  readonly events: number;
  readonly until: number;
  readonly resolve: (ready: boolean) => void;
}

/** Waits for many sockets at once with poll(2): Bun's own event loop takes no foreign file descriptors. */
export class Poller {
  readonly #waiters = new Set<Waiter>();
  #pumping = false;

  /**
   * Resolves to true when `fd` can be read (or written), to false at the time `until` (in `performance.now()`
   * milliseconds) or when the signal aborts.
   */
  wait(fd: number, what: "read" | "write", until: number, signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        fd,
        events: what === "read" ? POLLIN : POLLOUT,
        until,
        resolve: (ready) => {
          this.#waiters.delete(waiter);
          signal?.removeEventListener("abort", aborted);
          resolve(ready);
        },
      };
      const aborted = () => waiter.resolve(false);
      signal?.addEventListener("abort", aborted, { once: true });
      this.#waiters.add(waiter);
      if (!this.#pumping) {
        this.#pumping = true;
        setImmediate(() => this.#pump());
      }
    });
  }

  #pump(): void {
    const waiters = [...this.#waiters];
    if (waiters.length === 0) {
      this.#pumping = false;
      return;
    }
    const fds = new DataView(new ArrayBuffer(waiters.length * 8));
    waiters.forEach(({ fd, events }, at) => {
      fds.setInt32(at * 8, fd, true);
      fds.setInt16(at * 8 + 4, events, true);
    });
    const next = Math.min(...waiters.map(({ until }) => until)) - performance.now();
    poll(fds, waiters.length, Math.max(0, Math.min(SLICE, Math.ceil(next))));
    const now = performance.now();
    waiters.forEach((waiter, at) => {
      if (fds.getInt16(at * 8 + 6, true) !== 0) waiter.resolve(true);
      else if (waiter.until <= now) waiter.resolve(false);
    });
    setImmediate(() => this.#pump());
  }
}
