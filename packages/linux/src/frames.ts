/**
 * Ethernet frames of tap devices, for a process that passes them on itself and does nothing else: its one thread sleeps
 * in epoll_wait(2) until there are frames, a folder has changed or a time has come. Frames stay where the kernel
 * copied them, in memory that is taken once.
 */
import { dlopen, type Pointer, ptr } from "bun:ffi";
import {
  checked,
  cstring,
  errno,
  errnoName,
  libc,
  littleEndian,
  O_CLOEXEC,
  O_NONBLOCK,
  SystemCallError,
} from "./ffi.ts";
import { openTap } from "./tap.ts";
import type { NamespaceRef } from "./types.ts";

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 0x1;
const EPOLLERR = 0x8;
/** `struct epoll_event` is packed on x86-64 alone. */
const dataOffset = process.arch === "x64" ? 4 : 8;
const eventBytes = dataOffset + 8;
const EVENTS = 64;
const CLOCK_MONOTONIC = 1;
/** Entries moved from and to, created; files closed after writing (inotify(7)). */
const IN_CHANGED = 0x40 | 0x80 | 0x100 | 0x8;
const F_SETFL = 4;

/** What precedes a frame in what a tap device of ours gives and takes: `struct virtio_net_hdr`, all zero for a whole one. */
const HEADER = 10;
/** Of Ethernet, with two tags (IEEE 802.1Q). */
const ETHERNET = 14 + 8;
/** Frames that memory is taken for at a time. */
const SLAB = 64;

/** read(2) and write(2) again, of memory that is known by its address; and what only this loop calls. */
const prototypes = {
  read: { args: ["i32", "ptr", "u64"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: "i32" },
  epoll_wait: { args: ["i32", "buffer", "i32", "i32"], returns: "i32" },
  timerfd_create: { args: ["i32", "i32"], returns: "i32" },
  timerfd_settime: { args: ["i32", "i32", "buffer", "ptr"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
} as const;

let loaded: ReturnType<typeof load> | undefined;
const load = () => dlopen("libc.so.6", prototypes).symbols;
const calls = () => {
  libc();
  loaded ??= load();
  return loaded;
};

/** Memory for frames of one largest size; a frame is known by a number until it is given back. */
export class FrameMemory {
  readonly #size: number;
  readonly #slabs: Uint8Array[] = [];
  readonly #addresses: Pointer[] = [];
  readonly #lengths: number[] = [];
  readonly #free: number[] = [];

  /** @param mtu the largest packet in a frame, in bytes */
  constructor(mtu: number) {
    this.#size = HEADER + ETHERNET + mtu;
  }

  /** Bytes of a frame. */
  length(frame: number): number {
    return (this.#lengths[frame] ?? HEADER) - HEADER;
  }

  /** Room for one more. */
  take(): number {
    if (this.#free.length === 0) this.#grow();
    return this.#free.pop() ?? 0;
  }

  /** Gives room back. */
  give(frame: number): void {
    this.#free.push(frame);
  }

  /** Another of the same content. */
  copy(frame: number): number {
    const twin = this.take();
    this.#view(twin).set(this.#view(frame));
    this.#lengths[twin] = this.#lengths[frame] ?? HEADER;
    return twin;
  }

  /** Turns one bit of a frame over. */
  flip(frame: number, bit: number): void {
    const view = this.#view(frame);
    const at = HEADER + (bit >> 3);
    view[at] = (view[at] ?? 0) ^ (1 << (bit & 7));
  }

  /** Reads what a device has next. @returns false when it has nothing, or is away */
  read(fd: number, frame: number): boolean {
    const got = calls().read(fd, this.#address(frame), BigInt(this.#size));
    if (got <= HEADER) return false;
    this.#lengths[frame] = got;
    return true;
  }

  /** Has a device receive a frame. @returns false when it did not take it */
  write(fd: number, frame: number): boolean {
    // Whoever receives it shall check its sums: nothing is vouched for.
    this.#view(frame).fill(0, 0, HEADER);
    return calls().write(fd, this.#address(frame), BigInt(this.#lengths[frame] ?? 0)) > 0;
  }

  #address(frame: number): Pointer | null {
    return this.#addresses[frame] ?? null;
  }

  #view(frame: number): Uint8Array {
    const from = (frame % SLAB) * this.#size;
    return this.#slabs[Math.floor(frame / SLAB)]?.subarray(from, from + this.#size) ?? new Uint8Array();
  }

  #grow(): void {
    const slab = new Uint8Array(this.#size * SLAB);
    const first = this.#slabs.push(slab) * SLAB - SLAB;
    for (let n = 0; n < SLAB; n++) this.#addresses.push(ptr(slab, n * this.#size));
    for (let n = SLAB - 1; n >= 0; n--) this.#free.push(first + n);
  }
}

/** What {@link FrameLoop} woke for. */
export interface Woken {
  /** Devices, by their descriptors, that have frames. */
  readonly devices: readonly number[];
  /** Devices that are gone; nothing more will come of them. */
  readonly lost: readonly number[];
  /** A folder that is watched has changed. */
  readonly changed: boolean;
  /** A signal came: its handler runs once the caller lets others work. */
  readonly interrupted: boolean;
}

/** Waits for frames, changes of folders and times, all at once. It holds its thread meanwhile. */
export class FrameLoop implements Disposable {
  readonly #epoll = checked(libc().epoll_create1(O_CLOEXEC), "epoll_create1");
  readonly #timer = checked(calls().timerfd_create(CLOCK_MONOTONIC, O_CLOEXEC | O_NONBLOCK), "timerfd_create");
  readonly #inotify = checked(libc().inotify_init1(O_CLOEXEC | O_NONBLOCK), "inotify_init1");
  readonly #devices = new Set<number>();
  readonly #events = Buffer.alloc(eventBytes * EVENTS);
  readonly #view = new DataView(this.#events.buffer, this.#events.byteOffset, this.#events.byteLength);
  readonly #time = Buffer.alloc(32);
  readonly #scratch = Buffer.alloc(4096);

  constructor() {
    this.#add(this.#timer);
    this.#add(this.#inotify);
  }

  /**
   * Opens a persistent tap device.
   *
   * @returns its descriptor, to be closed by {@link close} @throws as {@link openTap}
   */
  open(namespace: NamespaceRef, name: string): number {
    const fd = openTap(namespace, name);
    checked(calls().fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl", name);
    this.#add(fd);
    this.#devices.add(fd);
    return fd;
  }

  close(fd: number): void {
    if (!this.#devices.delete(fd)) return;
    libc().epoll_ctl(this.#epoll, EPOLL_CTL_DEL, fd, Buffer.alloc(eventBytes));
    libc().close(fd);
  }

  /** Also wakes when an entry of a folder comes or is replaced. */
  watchFolder(path: string): void {
    checked(libc().inotify_add_watch(this.#inotify, cstring(path), IN_CHANGED), "inotify_add_watch", path);
  }

  /**
   * Sleeps until something is there to do, or for some microseconds; Infinity: for as long as it takes. The time is kept
   * as exactly as the kernel's high-resolution timers and its scheduler allow.
   */
  wait(microseconds: number): Woken {
    const timed = microseconds > 0 && microseconds !== Infinity;
    if (timed) this.#arm(microseconds);
    const count = calls().epoll_wait(this.#epoll, this.#events, EVENTS, microseconds <= 0 ? 0 : -1);
    const number = count < 0 ? errno() : 0;
    if (count < 0 && errnoName(number) !== "EINTR") throw new SystemCallError("epoll_wait", number);
    const devices: number[] = [];
    const lost: number[] = [];
    let changed = false;
    for (let i = 0; i < count; i++) {
      const fd = this.#view.getUint32(i * eventBytes + dataOffset, littleEndian);
      const events = this.#view.getUint32(i * eventBytes, littleEndian);
      if (fd === this.#timer) this.#drain(fd);
      else if (fd === this.#inotify) {
        this.#drain(fd);
        changed = true;
      } else if ((events & EPOLLIN) !== 0) devices.push(fd);
      else if ((events & EPOLLERR) !== 0) lost.push(fd);
    }
    return { devices, lost, changed, interrupted: count < 0 };
  }

  #arm(microseconds: number): void {
    const nanoseconds = Math.ceil(microseconds * 1e3);
    const view = new DataView(this.#time.buffer, this.#time.byteOffset, this.#time.byteLength);
    // struct itimerspec: the interval, which is none, then the time from now.
    view.setBigInt64(16, BigInt(Math.floor(nanoseconds / 1e9)), littleEndian);
    view.setBigInt64(24, BigInt(nanoseconds % 1e9), littleEndian);
    checked(calls().timerfd_settime(this.#timer, 0, this.#time, null), "timerfd_settime");
  }

  #drain(fd: number): void {
    while (libc().read(fd, this.#scratch, BigInt(this.#scratch.length)) > 0);
  }

  #add(fd: number): void {
    const event = Buffer.alloc(eventBytes);
    const view = new DataView(event.buffer, event.byteOffset, event.byteLength);
    view.setUint32(0, EPOLLIN, littleEndian);
    view.setUint32(dataOffset, fd, littleEndian);
    checked(libc().epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, event), "epoll_ctl");
  }

  [Symbol.dispose](): void {
    for (const fd of this.#devices) libc().close(fd);
    for (const fd of [this.#timer, this.#inotify, this.#epoll]) libc().close(fd);
  }
}
