import { dlopen, ptr, read } from "bun:ffi";
import { getSystemErrorName } from "node:util";

/**
 * The socket calls of the C library that probes are made of. A socket belongs for life to the namespace it was opened
 * in, so one process can hold sockets of every node of a lab and needs no program of the node, nor a process in it.
 * Numbers are those of Linux on all architectures that Bun runs on (asm-generic).
 */
const { symbols: libc } = dlopen("libc.so.6", {
  socket: { args: ["int", "int", "int"], returns: "int" },
  connect: { args: ["int", "ptr", "u32"], returns: "int" },
  sendto: { args: ["int", "ptr", "u64", "int", "ptr", "u32"], returns: "i64" },
  recv: { args: ["int", "ptr", "u64", "int"], returns: "i64" },
  poll: { args: ["ptr", "u64", "int"], returns: "int" },
  getsockopt: { args: ["int", "int", "int", "ptr", "ptr"], returns: "int" },
  setsockopt: { args: ["int", "int", "int", "ptr", "u32"], returns: "int" },
  close: { args: ["int"], returns: "int" },
  __errno_location: { args: [], returns: "ptr" },
});

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_RAW = 3;
export const IPPROTO_TCP = 6;
export const IPPROTO_ICMP = 1;
export const IPPROTO_ICMPV6 = 58;
export const SOL_SOCKET = 1;
export const SO_RCVBUFFORCE = 33;
export const SOL_RAW = 255;
export const ICMP_FILTER = 1;
export const ICMPV6_FILTER = 1;
export const POLLIN = 1;
export const POLLOUT = 4;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SO_ERROR = 4;
const EINPROGRESS = 115;

/** An error number's name, `ECONNREFUSED`. */
export type Errno = string;

/** Opens a non-blocking socket in the namespace that the thread is in. @returns it, or why there is none */
export function open(family: number, type: number, protocol: number): number | Errno {
  const fd = libc.socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  return fd < 0 ? errno() : fd;
}

export function close(fd: number): void {
  libc.close(fd);
}

/** Sets an option to raw bytes; what the kernel refuses is left as it was. */
export function setOption(fd: number, level: number, option: number, value: Uint8Array): void {
  libc.setsockopt(fd, level, option, ptr(value), value.byteLength);
}

/** Begins to connect. @returns undefined while it is under way, else why not */
export function connect(fd: number, address: Uint8Array): Errno | undefined {
  if (libc.connect(fd, ptr(address), address.byteLength) === 0) return undefined;
  const error = errnoNumber();
  return error === EINPROGRESS ? undefined : nameOf(error);
}

/** How a connection that poll(2) reported came out. @returns undefined when it is established */
export function connectResult(fd: number): Errno | undefined {
  const value = new Int32Array(1);
  const length = new Uint32Array([4]);
  libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, ptr(value), ptr(length));
  return value[0] ? nameOf(value[0]) : undefined;
}

/** @returns undefined when the datagram was taken */
export function sendTo(fd: number, data: Uint8Array, address: Uint8Array): Errno | undefined {
  const sent = libc.sendto(fd, ptr(data), data.byteLength, 0, ptr(address), address.byteLength);
  return Number(sent) < 0 ? errno() : undefined;
}

/** The next datagram into `buffer`. @returns its length, or undefined when none waits */
export function receive(fd: number, buffer: Uint8Array): number | undefined {
  const length = Number(libc.recv(fd, ptr(buffer), buffer.byteLength, 0));
  return length < 0 ? undefined : length;
}

/** poll(2) over an array of `struct pollfd`. Blocks the thread for `timeout` milliseconds at most. */
export function poll(fds: DataView<ArrayBuffer>, count: number, timeout: number): number {
  return libc.poll(ptr(fds), count, timeout);
}

/** `struct sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7)) of an address's bytes. */
export function socketAddress(ip: Uint8Array, port: number): Uint8Array {
  const v4 = ip.byteLength === 4;
  const address = new Uint8Array(v4 ? 16 : 28);
  const view = new DataView(address.buffer);
  view.setUint16(0, v4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  address.set(ip, v4 ? 4 : 8);
  return address;
}

function errno(): Errno {
  return nameOf(errnoNumber());
}

function errnoNumber(): number {
  const location = libc.__errno_location();
  return location === null ? 0 : read.i32(location, 0);
}

function nameOf(error: number): Errno {
  return getSystemErrorName(-error);
}
