/**
 * The calls of libc that this room makes, in one place. Nothing is loaded before the first call, so that a command
 * which needs none of them does not pay for it. All of them act on the calling thread.
 */

import { dlopen, read } from "bun:ffi";
import { constants, endianness } from "node:os";
import { YardError } from "@switchyard/base";

const prototypes = {
  __errno_location: { args: [], returns: "ptr" },
  open: { args: ["buffer", "i32", "u32"], returns: "i32" },
  linkat: { args: ["i32", "buffer", "i32", "buffer", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  setns: { args: ["i32", "i32"], returns: "i32" },
  unshare: { args: ["i32"], returns: "i32" },
  mount: { args: ["buffer", "buffer", "buffer", "u64", "ptr"], returns: "i32" },
  umount2: { args: ["buffer", "i32"], returns: "i32" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  connect: { args: ["i32", "buffer", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "buffer", "u32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" },
  send: { args: ["i32", "buffer", "u64", "i32"], returns: "i32" },
  sendmsg: { args: ["i32", "buffer", "i32"], returns: "i32" },
  recv: { args: ["i32", "buffer", "u64", "i32"], returns: "i32" },
  recvmsg: { args: ["i32", "buffer", "i32"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "buffer"], returns: "i32" },
  inotify_init1: { args: ["i32"], returns: "i32" },
  inotify_add_watch: { args: ["i32", "buffer", "u32"], returns: "i32" },
  inotify_rm_watch: { args: ["i32", "i32"], returns: "i32" },
  read: { args: ["i32", "buffer", "u64"], returns: "i32" },
  poll: { args: ["buffer", "u64", "i32"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  epoll_create1: { args: ["i32"], returns: "i32" },
  epoll_ctl: { args: ["i32", "i32", "i32", "buffer"], returns: "i32" },
  // glibc has wrappers of pidfd_open and pidfd_send_signal only since 2.36.
  syscall: { args: ["i64", "i64", "i64", "i64", "i64"], returns: "i32" },
} as const;

/** ioctl(2) again: some requests take a number where most take a pointer. */
const valueIoctl = { ioctl: { args: ["i32", "u64", "u64"], returns: "i32" } } as const;

function load() {
  const { symbols } = dlopen("libc.so.6", prototypes);
  const { ioctl: ioctlValue } = dlopen("libc.so.6", valueIoctl).symbols;
  const location = symbols.__errno_location();
  if (typeof location !== "number") throw new Error("libc has no errno");
  return { ...symbols, ioctlValue, location };
}

let loaded: ReturnType<typeof load> | YardError | undefined;

/** @throws YardError `linux.no-ffi` where libc cannot be called: not Linux, or no glibc */
export function libc(): ReturnType<typeof load> {
  if (loaded === undefined) {
    try {
      loaded = load();
    } catch (error) {
      loaded = new YardError("linux.no-ffi", "libc.so.6 cannot be called from here", { cause: error });
    }
  }
  if (loaded instanceof YardError) throw loaded;
  return loaded;
}

/** Whether system calls can be made from here at all. */
export function ffiUsable(): boolean {
  try {
    libc();
    return true;
  } catch {
    return false;
  }
}

/** The thread's errno; to be read before anything else is called. */
export function errno(): number {
  return read.i32(libc().location, 0);
}

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));
// Linux has two names for each of these numbers; people and man pages use these.
names.set(constants.errno.EAGAIN, "EAGAIN");
names.set(constants.errno.EOPNOTSUPP, "EOPNOTSUPP");

/** `EEXIST` for 17. */
export function errnoName(number: number): string {
  return names.get(number) ?? `E${number}`;
}

/** A system call that failed. `message` is `<call>: <errno name>`, with what it was about. */
export class SystemCallError extends YardError {
  /** The kernel's name, `EPERM`. */
  readonly errno: string;

  constructor(call: string, number: number, about?: string) {
    const name = errnoName(number);
    super("linux.call-failed", `${call}${about === undefined ? "" : ` ${about}`} failed: ${errnoText(name)}`);
    this.errno = name;
  }
}

/** The reason in words, with the name: `File exists (EEXIST)`. Those that are met in this room; else the name. */
export function errnoText(name: string): string {
  const text = reasons[name];
  return text === undefined ? name : `${text} (${name})`;
}

const reasons: Readonly<Record<string, string>> = {
  EPERM: "not permitted",
  ENOENT: "no such file or object",
  ESRCH: "no such process",
  EINTR: "interrupted",
  EAGAIN: "not available now",
  ENOMEM: "out of memory",
  EACCES: "permission denied",
  EBUSY: "busy",
  EEXIST: "exists already",
  ENODEV: "no such device",
  EINVAL: "invalid argument",
  EMFILE: "too many open files in this process",
  ENFILE: "too many open files on this host",
  ENOSPC: "no space left",
  EROFS: "read-only file system",
  ERANGE: "out of range",
  ENAMETOOLONG: "name too long",
  EOPNOTSUPP: "not supported",
  EADDRINUSE: "address in use",
  EADDRNOTAVAIL: "address not available",
  ENETDOWN: "network is down",
  ENETUNREACH: "network is unreachable",
  ENOBUFS: "no buffer space",
};

/** A path or name as C expects it. */
export function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`, "utf8");
}

/** @throws SystemCallError when `result` is negative, with the errno of the call just made */
export function checked(result: number, call: string, about?: string): number {
  if (result < 0) throw new SystemCallError(call, errno(), about);
  return result;
}

/** Netlink and struct fields have the machine's own byte order. */
export const littleEndian = endianness() === "LE";

// <fcntl.h>, <sched.h>, <sys/mount.h>, <sys/socket.h>, as on all Linux architectures that Bun runs on.
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const AT_FDCWD = -100;
export const AT_SYMLINK_FOLLOW = 0x400;
export const CLONE_NEWNET = 0x40000000;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_SHARED = 1 << 20;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SCM_RIGHTS = 1;
export const SO_RCVTIMEO = 20;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
