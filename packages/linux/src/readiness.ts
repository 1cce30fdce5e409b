/**
 * Descriptors whose readiness Bun's own loop cannot wait for (pidfds, netlink sockets with control messages): one
 * thread sleeps in epoll_wait(2) for all of them and tells the main thread which became readable. It is started with
 * the first descriptor and kept, as starting it takes some ten milliseconds; asleep it costs no time and some 5 MB,
 * and it does not keep the process alive.
 */
import { YardError } from "@switchyard/base";
import { checked, errno, libc, littleEndian, O_CLOEXEC, SystemCallError } from "./ffi.ts";

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 0x1;
const EPOLLONESHOT = 0x40000000;
/** `struct epoll_event` is packed on x86-64 alone. */
const dataOffset = process.arch === "x64" ? 4 : 8;
const eventBytes = dataOffset + 8;

/**
 * The thread's program; a string, since a single executable has no second file to load. It answers the numbers of the
 * watches that are ready.
 */
const program = `
const { dlopen } = require("bun:ffi");
const { symbols } = dlopen("libc.so.6", { epoll_wait: { args: ["i32", "buffer", "i32", "i32"], returns: "i32" } });
self.onmessage = ({ data: { epoll, eventBytes, dataOffset, littleEndian } }) => {
  const events = new DataView(new ArrayBuffer(eventBytes * 64));
  for (;;) {
    const count = symbols.epoll_wait(epoll, new Uint8Array(events.buffer), 64, -1);
    const ready = [];
    for (let i = 0; i < count; i++) ready.push(events.getUint32(i * eventBytes + dataOffset, littleEndian));
    if (ready.length > 0) self.postMessage(ready);
  }
};
`;

interface Watch {
  readonly fd: number;
  readonly readable: () => void;
}

class ReadinessThread {
  readonly #epoll: number;
  readonly #worker: Worker;
  readonly #watches = new Map<number, Watch>();
  #nextKey = 1;

  constructor() {
    this.#epoll = checked(libc().epoll_create1(O_CLOEXEC), "epoll_create1");
    const url = URL.createObjectURL(new Blob([program], { type: "application/javascript" }));
    this.#worker = new Worker(url);
    this.#worker.unref();
    this.#worker.onmessage = ({ data }: MessageEvent<readonly number[]>) => {
      for (const key of data) this.#fire(key);
    };
    // Without the thread every watch would be deaf: that must not pass unseen.
    this.#worker.onerror = (event) => {
      throw new YardError("linux.call-failed", `the thread that waits for descriptors ended: ${event.message}`);
    };
    this.#worker.postMessage({ epoll: this.#epoll, eventBytes, dataOffset, littleEndian });
  }

  add(fd: number, readable: () => void): number {
    const key = this.#nextKey++;
    this.#control(EPOLL_CTL_ADD, fd, key, EPOLLIN | EPOLLONESHOT);
    this.#watches.set(key, { fd, readable });
    return key;
  }

  remove(key: number): void {
    const watch = this.#watches.get(key);
    if (watch === undefined) return;
    this.#watches.delete(key);
    this.#control(EPOLL_CTL_DEL, watch.fd, key, 0);
  }

  #fire(key: number): void {
    const watch = this.#watches.get(key);
    if (watch === undefined) return;
    watch.readable();
    // Told once, then silent until armed again: the listener has read what there was.
    if (this.#watches.has(key)) this.#control(EPOLL_CTL_MOD, watch.fd, key, EPOLLIN | EPOLLONESHOT);
  }

  #control(operation: number, fd: number, key: number, events: number): void {
    const event = Buffer.alloc(eventBytes);
    const view = new DataView(event.buffer, event.byteOffset, event.byteLength);
    view.setUint32(0, events, littleEndian);
    view.setUint32(dataOffset, key, littleEndian);
    if (libc().epoll_ctl(this.#epoll, operation, fd, event) < 0) throw new SystemCallError("epoll_ctl", errno());
  }
}

let thread: ReadinessThread | undefined;

/**
 * Calls `readable` on the main thread each time the descriptor has something to read; it must read all of it (or
 * stop watching). The descriptor stays the caller's, to be closed after the watch is disposed of.
 *
 * @throws SystemCallError, YardError `linux.no-ffi`
 */
export function watchReadable(fd: number, readable: () => void): Disposable {
  thread ??= new ReadinessThread();
  const mine = thread;
  const key = mine.add(fd, readable);
  return { [Symbol.dispose]: () => mine.remove(key) };
}
