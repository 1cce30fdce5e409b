import { YardError } from "@switchyard/base";
import type { Excursion } from "../excursion.ts";
import {
  AF_NETLINK,
  checked,
  errno,
  errnoName,
  errnoText,
  libc,
  littleEndian,
  MSG_TRUNC,
  SO_RCVBUFFORCE,
  SO_RCVTIMEO,
  SO_SNDBUFFORCE,
  SOCK_RAW,
  SOL_SOCKET,
  SystemCallError,
} from "../ffi.ts";
import type { NamespaceRef } from "../types.ts";
import {
  type Acknowledgement,
  acknowledgement,
  MessageWriter,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  Reader,
  type ReceivedMessage,
} from "./message.ts";

export const NETLINK_ROUTE = 0;
export const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
export const NETLINK_GET_STRICT_CHK = 12;

const SIOCGIFINDEX = 0x8933n;
const SIOCGIFFLAGS = 0x8913n;
const SIOCSIFFLAGS = 0x8914n;
export const IFF_UP = 1;

/** One datagram is at most 32 KiB of a dump, or one larger message. One buffer serves all: everything is synchronous. */
let receiveBuffer: Uint8Array | undefined;
let receiveReader: Reader | undefined;

/** A request to be acknowledged: its type, flags beside REQUEST and ACK, and what follows the header. */
export interface NetlinkRequest {
  readonly type: number;
  readonly flags: number;
  readonly body: (writer: MessageWriter) => void;
}

/** Requests are sent together up to this size, well below the kernel's limit for one datagram. */
const chunkBytes = 64 * 1024;
const chunkRequests = 256;

/**
 * A route netlink socket: it acts in the namespace that it was made in, wherever the thread is. The kernel answers within the
 * call that asks, so nothing waits: requests go out many at a time and their acknowledgements are read back.
 */
export class NetlinkSocket implements Disposable {
  readonly fd: number;
  #sequence = 1;
  #large = false;
  readonly #writer = new MessageWriter();

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** In a namespace. @throws as `Excursion.socket` */
  static open(excursion: Excursion, ref: NamespaceRef): NetlinkSocket {
    return NetlinkSocket.adopt(excursion.socket(ref, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  }

  /** Takes over a descriptor. */
  static adopt(fd: number): NetlinkSocket {
    const socket = new NetlinkSocket(fd);
    // Old kernels know neither; then an error has no text, that is all.
    setOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    setOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    return socket;
  }

  [Symbol.dispose](): void {
    libc().close(this.fd);
  }

  /**
   * Sends the requests in order, many in one datagram; each is tried whatever became of those before it.
   *
   * @returns an acknowledgement for each request, in order
   * @throws SystemCallError, YardError `netlink.malformed`
   */
  request(requests: readonly NetlinkRequest[]): Acknowledgement[] {
    const answers: Acknowledgement[] = [];
    if (requests.length > 16) this.#enlarge();
    let at = 0;
    while (at < requests.length) {
      this.#writer.clear();
      const first = this.#sequence;
      let count = 0;
      for (; at < requests.length && count < chunkRequests && this.#writer.length < chunkBytes; at++, count++) {
        const request = requests[at];
        if (request === undefined) break;
        const flags = request.flags | NLM_F_REQUEST | NLM_F_ACK;
        this.#writer.message(request.type, flags, this.#sequence++, () => request.body(this.#writer));
      }
      this.#send();
      const chunk = new Array<Acknowledgement>(count);
      for (let got = 0; got < count; ) {
        for (const message of this.#receive()) {
          const index = message.sequence - first;
          if (message.type !== NLMSG_ERROR || index < 0 || index >= count) continue;
          chunk[index] = acknowledgement(message);
          got++;
        }
      }
      answers.push(...chunk);
    }
    return answers;
  }

  /**
   * Asks for all objects of a kind and calls `each` with every message. A dump that the kernel marks as disturbed by
   * a change is repeated, hence `reset`, called before each attempt.
   *
   * @throws YardError `netlink.request-failed`
   */
  dump(
    type: number,
    body: (writer: MessageWriter) => void,
    reset: () => void,
    each: (message: ReceivedMessage) => void,
  ): void {
    for (let attempt = 0; ; attempt++) {
      reset();
      // A busy host may never stand still; after a few attempts what was read is as good as any.
      if (!this.#dumpOnce(type, body, each) || attempt === 4) return;
    }
  }

  #dumpOnce(type: number, body: (writer: MessageWriter) => void, each: (message: ReceivedMessage) => void): boolean {
    this.#writer.clear();
    const sequence = this.#sequence++;
    this.#writer.message(type, NLM_F_REQUEST | NLM_F_DUMP, sequence, () => body(this.#writer));
    this.#send();
    let disturbed = false;
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if (message.flags & NLM_F_DUMP_INTR) disturbed = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const failure = message.end - message.start >= 4 ? 0 - message.reader.i32(message.start) : 0;
          if (failure !== 0) throw requestFailed("dump", failure, "");
          return disturbed;
        }
        each(message);
      }
    }
  }

  /** One message of answer: the object asked for. `undefined` when the kernel refused with one of `absent`. */
  get<T>(
    type: number,
    body: (writer: MessageWriter) => void,
    parse: (message: ReceivedMessage) => T,
    absent: readonly string[] = [],
  ): T | undefined {
    this.#writer.clear();
    const sequence = this.#sequence++;
    this.#writer.message(type, NLM_F_REQUEST, sequence, () => body(this.#writer));
    this.#send();
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if (message.type !== NLMSG_ERROR) return parse(message);
        const answer = acknowledgement(message);
        if (absent.includes(errnoName(answer.errno))) return undefined;
        throw requestFailed("request", answer.errno, answer.text);
      }
    }
  }

  /** The ifindex of a name in the socket's namespace; 0 when there is no such link. */
  indexOf(name: string): number {
    const request = interfaceRequest(name);
    if (libc().ioctl(this.fd, SIOCGIFINDEX, request) < 0) return 0;
    return littleEndian ? request.readInt32LE(16) : request.readInt32BE(16);
  }

  /** The loopback comes up; whatever else its flags say is kept. @throws SystemCallError */
  raiseLoopback(): void {
    const request = interfaceRequest("lo");
    checked(libc().ioctl(this.fd, SIOCGIFFLAGS, request), "SIOCGIFFLAGS", "lo");
    const view = new DataView(request.buffer, request.byteOffset, request.byteLength);
    const flags = view.getInt16(16, littleEndian);
    if (flags & IFF_UP) return;
    view.setInt16(16, flags | IFF_UP, littleEndian);
    checked(libc().ioctl(this.fd, SIOCSIFFLAGS, request), "SIOCSIFFLAGS", "lo");
  }

  #send(): void {
    const bytes = this.#writer.bytes();
    checked(libc().send(this.fd, bytes, BigInt(bytes.length), 0), "send", "to netlink");
  }

  #receive(): Generator<ReceivedMessage> {
    receiveBuffer ??= new Uint8Array(256 * 1024);
    receiveReader ??= new Reader(receiveBuffer);
    for (;;) {
      const length = libc().recv(this.fd, receiveBuffer, BigInt(receiveBuffer.length), MSG_TRUNC);
      if (length < 0) {
        const number = errno();
        if (errnoName(number) === "EINTR") continue;
        throw new SystemCallError("recv", number, "from netlink");
      }
      if (length > receiveBuffer.length)
        throw new YardError("netlink.malformed", `the kernel's answer of ${length} bytes is too long`);
      return receiveReader.messages(length);
    }
  }

  /** Acknowledgements of a whole chunk queue up before the first is read; the default buffer holds some 200. */
  #enlarge(): void {
    if (this.#large) return;
    this.#large = true;
    setOption(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20);
    setOption(this.fd, SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20);
    const fiveSeconds = Buffer.alloc(16);
    fiveSeconds.writeInt8(5, littleEndian ? 0 : 7);
    // The kernel always has answered already; should it not, an error is better than a hang.
    libc().setsockopt(this.fd, SOL_SOCKET, SO_RCVTIMEO, fiveSeconds, 16);
  }
}

/** @returns whether the kernel knows the option */
export function setOption(fd: number, level: number, option: number, value: number): boolean {
  const bytes = Buffer.alloc(4);
  if (littleEndian) bytes.writeInt32LE(value);
  else bytes.writeInt32BE(value);
  return libc().setsockopt(fd, level, option, bytes, 4) === 0;
}

/** `struct ifreq` with the name filled in. */
function interfaceRequest(name: string): Buffer {
  const request = Buffer.alloc(40);
  request.write(name, 0, 15, "utf8");
  return request;
}

function requestFailed(what: string, number: number, text: string): YardError {
  const reason = errnoText(errnoName(number));
  return new YardError(
    "netlink.request-failed",
    `the kernel refused a ${what}: ${text === "" ? reason : `${text} (${reason})`}`,
  );
}
