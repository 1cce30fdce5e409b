/** What unix sockets can do beyond carrying bytes: be made for another program to serve, and carry descriptors (unix(7)). */
import { ptr } from "bun:ffi";
import { chmodSync, chownSync, rmSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { YardError } from "@switchyard/base";
import {
  AF_UNIX,
  checked,
  errno,
  errnoName,
  libc,
  littleEndian,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SCM_RIGHTS,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  SystemCallError,
} from "./ffi.ts";
import { watchReadable } from "./readiness.ts";

/** Bytes of `sun_path`, with the NUL. */
const PATH_MAX = 108;

/** `struct sockaddr_un`. @throws YardError `linux.socket-path` */
function address(path: string): Buffer {
  const name = Buffer.from(path, "utf8");
  if (name.length >= PATH_MAX || name.includes(0))
    throw new YardError("linux.socket-path", `the path of a socket has more than ${PATH_MAX - 1} bytes: ${path}`, {
      hint: "choose a shorter folder",
    });
  const buffer = Buffer.alloc(2 + PATH_MAX);
  new DataView(buffer.buffer, buffer.byteOffset).setUint16(0, AF_UNIX, littleEndian);
  name.copy(buffer, 2);
  return buffer;
}

/**
 * A socket at `path` that listens already, for a program that is to be started with it; what connects before that
 * program accepts has to wait. One that is there, left behind, is replaced.
 *
 * @param access who may connect: the file's permission bits and its group
 * @returns the descriptor, the caller's to close; close-on-exec
 * @throws YardError `linux.socket-path`, `linux.call-failed`
 */
export function listenUnix(path: string, access: { readonly mode: number; readonly group: number }): number {
  const { socket, bind, listen, close } = libc();
  const name = address(path);
  rmSync(path, { force: true });
  const fd = checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  try {
    checked(bind(fd, name, name.length), "bind", path);
    // Nobody can connect before it listens: until then the permissions do not matter.
    chownSync(path, 0, access.group);
    chmodSync(path, access.mode);
    checked(listen(fd, 64), "listen", path);
    return fd;
  } catch (error) {
    close(fd);
    rmSync(path, { force: true });
    throw error;
  }
}

/** A connection to a unix socket over which open files can be handed to the other side. */
export class DescriptorSocket implements Disposable {
  readonly #fd: number;
  #watch: Disposable | undefined;

  /** @throws YardError `linux.socket-path`, `linux.call-failed` */
  constructor(path: string) {
    const { socket, connect, close } = libc();
    const name = address(path);
    this.#fd = checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    if (connect(this.#fd, name, name.length) === 0) return;
    const number = errno();
    close(this.#fd);
    throw new SystemCallError("connect", number, path);
  }

  /**
   * Sends a text, with it a descriptor, of which the other side gets its own. Meant for short ones, which never fill
   * the socket.
   *
   * @throws YardError `linux.call-failed`
   */
  send(text: string, descriptor?: number): void {
    const data = Buffer.from(text, "utf8");
    // struct cmsghdr: size_t length, int level, int type; then the descriptor, padded.
    const control = new DataView(new ArrayBuffer(24));
    control.setBigUint64(0, 20n, littleEndian);
    control.setInt32(8, SOL_SOCKET, littleEndian);
    control.setInt32(12, SCM_RIGHTS, littleEndian);
    control.setInt32(16, descriptor ?? -1, littleEndian);
    const vector = new DataView(new ArrayBuffer(16));
    vector.setBigUint64(0, BigInt(ptr(data)), littleEndian);
    vector.setBigUint64(8, BigInt(data.length), littleEndian);
    // struct msghdr of 64-bit machines: name, its length, vectors, their number, control, its length, flags.
    const header = Buffer.alloc(56);
    const message = new DataView(header.buffer, header.byteOffset);
    message.setBigUint64(16, BigInt(ptr(vector.buffer)), littleEndian);
    message.setBigUint64(24, 1n, littleEndian);
    if (descriptor !== undefined) {
      message.setBigUint64(32, BigInt(ptr(control.buffer)), littleEndian);
      message.setBigUint64(40, 24n, littleEndian);
    }
    const sent = checked(libc().sendmsg(this.#fd, header, MSG_DONTWAIT | MSG_NOSIGNAL), "sendmsg");
    // Reading them here also keeps the buffers from being collected during the call.
    if (sent !== data.length || vector.byteLength + control.byteLength !== 40)
      throw new SystemCallError("sendmsg", EAGAIN, "of the whole text");
  }

  /** Calls back with all that comes, and once with undefined when the other side has closed. Once per connection. */
  receive(listener: (text: string | undefined) => void): void {
    const decoder = new StringDecoder("utf8");
    const buffer = Buffer.alloc(64 * 1024);
    this.#watch = watchReadable(this.#fd, () => {
      for (;;) {
        const length = libc().recv(this.#fd, buffer, BigInt(buffer.length), MSG_DONTWAIT);
        if (length < 0 && ["EAGAIN", "EINTR"].includes(errnoName(errno()))) return;
        if (length <= 0) {
          this.#unwatch();
          listener(undefined);
          return;
        }
        listener(decoder.write(buffer.subarray(0, length)));
        if (this.#watch === undefined) return;
      }
    });
  }

  #unwatch(): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }

  #closed = false;
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwatch();
    libc().close(this.#fd);
  }
}

const EAGAIN = 11;
