/** Changes of namespaces as the kernel tells them (rtnetlink(7) multicast groups), waited for without polling. */
import { ptr } from "bun:ffi";
import { Excursion, namespaceKey, openNamespace, socketInNamespace } from "./excursion.ts";
import {
  AF_NETLINK,
  checked,
  errno,
  errnoName,
  libc,
  littleEndian,
  MSG_DONTWAIT,
  SO_RCVBUFFORCE,
  SOCK_RAW,
  SOL_SOCKET,
  SystemCallError,
} from "./ffi.ts";
import { RTM_DELADDR, RTM_NEWADDR, readAddress } from "./netlink/address.ts";
import { RTM_DELLINK, RTM_NEWLINK, readLink } from "./netlink/link.ts";
import { type MessageWriter, Reader, type ReceivedMessage } from "./netlink/message.ts";
import { RTM_DELROUTE, RTM_NEWROUTE } from "./netlink/route.ts";
import { NETLINK_ROUTE, NetlinkSocket, SOL_NETLINK, setOption } from "./netlink/socket.ts";
import { watchReadable } from "./readiness.ts";
import type { NamespaceRef } from "./types.ts";

/** One change, or the news that some were lost. */
export type NamespaceEvent =
  | {
      readonly what: "link";
      /** `new` also for a change of one that was there. */
      readonly change: "new" | "gone";
      /** Where: undefined in the watched namespace, else the number that it has for its peer, see {@link peerNames}. */
      readonly peer: number | undefined;
      readonly index: number;
      readonly name: string;
    }
  | {
      readonly what: "address";
      readonly change: "new" | "gone";
      readonly peer: number | undefined;
      /** ifindex of the link that has, or had, it. */
      readonly index: number;
      readonly address: string;
    }
  | { readonly what: "route"; readonly change: "new" | "gone"; readonly peer: number | undefined }
  /** Changes came faster than they were read, and some are lost: look at everything. */
  | { readonly what: "overrun" };

const NETLINK_LISTEN_ALL_NSID = 8;
/** RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE as bits. */
const groups = [1, 5, 7, 9, 11].reduce((bits, group) => bits | (1 << (group - 1)), 0);

/**
 * Calls `listener` for every change of links, addresses and routes in a namespace and in those that have a veth to
 * it, until the signal aborts. The namespace lives as long as it is watched; its peers do not. The watch does not
 * keep the process alive.
 *
 * @throws YardError `namespace.missing`, `namespace.not-permitted`, `linux.call-failed`, `linux.no-ffi`
 */
export function watchNamespaces(
  ref: NamespaceRef,
  listener: (event: NamespaceEvent) => void,
  signal: AbortSignal,
): void {
  receive(ref, signal, (receiver) => {
    receiver.drain((event) => {
      if (!signal.aborted) listener(event);
    });
  });
}

/**
 * As {@link watchNamespaces}, for whoever only wants to know where something has changed: told once for all that has
 * come together, and at a small part of the cost.
 *
 * @param listener gets the numbers of the peers in which something has changed, undefined standing for the watched
 * namespace itself; or `overrun`
 * @returns what reads at once whatever the kernel has told by now
 */
export function watchPeers(
  ref: NamespaceRef,
  listener: (where: ReadonlySet<number | undefined> | "overrun") => void,
  signal: AbortSignal,
): () => void {
  return receive(ref, signal, (receiver) => {
    const where = receiver.drainPeers();
    if (!signal.aborted && (where === "overrun" || where.size > 0)) listener(where);
  });
}

/**
 * Calls `read` whenever a multicast socket of the namespace has something, until the signal aborts.
 *
 * @returns what calls it at once
 */
function receive(ref: NamespaceRef, signal: AbortSignal, read: (receiver: Receiver) => void): () => void {
  if (signal.aborted) return () => {};
  const fd = openMulticast(ref);
  const receiver = new Receiver(fd);
  let watch: Disposable;
  try {
    watch = watchReadable(fd, () => read(receiver));
  } catch (error) {
    libc().close(fd);
    throw error;
  }
  signal.addEventListener(
    "abort",
    () => {
      watch[Symbol.dispose]();
      libc().close(fd);
    },
    { once: true },
  );
  return () => {
    if (!signal.aborted) read(receiver);
  };
}

function openMulticast(ref: NamespaceRef): number {
  const fd = socketInNamespace(ref, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  try {
    // Before the groups are joined, so that nothing comes that cannot be placed.
    if (!setOption(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1))
      throw new SystemCallError("setsockopt", errno(), "NETLINK_LISTEN_ALL_NSID");
    // A thousand namespaces made at once are some ten thousand messages of a kilobyte.
    setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20);
    const address = Buffer.alloc(12);
    const view = new DataView(address.buffer, address.byteOffset, 12);
    view.setUint16(0, AF_NETLINK, littleEndian);
    view.setUint32(8, groups, littleEndian);
    checked(libc().bind(fd, address, 12), "bind", "AF_NETLINK");
    return fd;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

/** Reads datagrams with their control message, which tells the namespace that they come from. */
class Receiver {
  readonly #fd: number;
  readonly #data = new Uint8Array(64 * 1024);
  /** On a buffer from the beginning: asking a small array for its buffer later would move it away from its pointer. */
  readonly #control = new DataView(new ArrayBuffer(64));
  readonly #iovec = new BigUint64Array(2);
  /** `struct msghdr` of 64-bit Linux: name, its length, iovec, their number, control, its length, flags. */
  readonly #header = new BigUint64Array(7);
  readonly #headerBytes = new Uint8Array(this.#header.buffer);
  readonly #reader = new Reader(this.#data);

  constructor(fd: number) {
    this.#fd = fd;
    this.#iovec[0] = BigInt(ptr(this.#data));
    this.#iovec[1] = BigInt(this.#data.length);
    this.#header[2] = BigInt(ptr(this.#iovec));
    this.#header[3] = 1n;
    this.#header[4] = BigInt(ptr(this.#control.buffer));
  }

  /** Reads until there is nothing more. */
  drain(listener: (event: NamespaceEvent) => void): void {
    for (let length = this.#next(); length !== undefined; length = this.#next()) {
      if (length === "overrun") {
        listener({ what: "overrun" });
        continue;
      }
      const peer = this.#peer();
      for (const message of this.#reader.messages(length)) {
        const event = readEvent(message, peer);
        if (event !== undefined) listener(event);
      }
    }
  }

  /** Reads until there is nothing more, for the namespaces that it came from alone. */
  drainPeers(): ReadonlySet<number | undefined> | "overrun" {
    const peers = new Set<number | undefined>();
    let overrun = false;
    for (let length = this.#next(); length !== undefined; length = this.#next()) {
      if (length === "overrun") overrun = true;
      else peers.add(this.#peer());
    }
    return overrun ? "overrun" : peers;
  }

  /** The length of the next datagram, undefined when there is none. */
  #next(): number | "overrun" | undefined {
    for (;;) {
      this.#header[5] = BigInt(this.#control.byteLength);
      const length = libc().recvmsg(this.#fd, this.#headerBytes, MSG_DONTWAIT);
      if (length >= 0) return length;
      const name = errnoName(errno());
      if (name === "ENOBUFS") return "overrun";
      if (name !== "EINTR") return undefined;
    }
  }

  /** The control message is `struct cmsghdr` (length, level, type), then an int. */
  #peer(): number | undefined {
    if (Number(this.#header[5] ?? 0n) < 20) return undefined;
    const level = this.#control.getInt32(8, littleEndian);
    const type = this.#control.getInt32(12, littleEndian);
    const known = level === SOL_NETLINK && type === NETLINK_LISTEN_ALL_NSID;
    return known ? this.#control.getInt32(16, littleEndian) : undefined;
  }
}

function readEvent(message: ReceivedMessage, peer: number | undefined): NamespaceEvent | undefined {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const { index, name } = readLink(message);
      // A bridge tells of its ports in a family of its own (AF_BRIDGE); the links themselves come unspecified.
      if (message.reader.u8(message.start) !== 0) return undefined;
      return { what: "link", change: message.type === RTM_NEWLINK ? "new" : "gone", peer, index, name };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const record = readAddress(message);
      if (record === undefined) return undefined;
      const change = message.type === RTM_NEWADDR ? "new" : "gone";
      return { what: "address", change, peer, index: record.index, address: record.address };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return { what: "route", change: message.type === RTM_NEWROUTE ? "new" : "gone", peer };
    default:
      return undefined;
  }
}

const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;
const NETNSA_NSID = 1;
/** The kernel chooses the number. */
const NSID_ANY = -1;
const NETNSA_FD = 3;

/**
 * The numbers that a namespace has for others, as {@link NamespaceEvent} tells them: a number is given when the first
 * veth between the two is made. Those that have none, or do not exist, are left out.
 *
 * @param assign whether those that have none get one, so that they are told of from now on
 * @returns {@link namespaceKey}s by number
 * @throws YardError `namespace.missing` when `ref` does not exist
 */
export function peerNames(ref: NamespaceRef, others: readonly NamespaceRef[], assign = false): Map<number, string> {
  const found = new Map<number, string>();
  using excursion = new Excursion();
  using socket = NetlinkSocket.open(excursion, ref);
  for (const other of others) {
    let fd: number;
    try {
      fd = openNamespace(other);
    } catch {
      continue;
    }
    try {
      const id = numberOf(socket, fd) ?? (assign && number(socket, fd) ? numberOf(socket, fd) : undefined);
      if (id !== undefined) found.set(id, namespaceKey(other));
    } finally {
      libc().close(fd);
    }
  }
  return found;
}

/** The number that a socket's namespace has for the one behind a descriptor. */
function numberOf(socket: NetlinkSocket, fd: number): number | undefined {
  const id = socket.get(
    RTM_GETNSID,
    (writer) => writer.u32(0).attributeU32(NETNSA_FD, fd),
    ({ reader, start, end }) => {
      let value = NSID_ANY;
      // struct rtgenmsg is one byte, padded.
      reader.attributes(start + 4, end, (type, from) => {
        if (type === NETNSA_NSID) value = reader.i32(from);
      });
      return value;
    },
    ["EINVAL"],
  );
  return id === undefined || id < 0 ? undefined : id;
}

/** Has the kernel choose a number. @returns whether it did */
function number(socket: NetlinkSocket, fd: number): boolean {
  const body = (writer: MessageWriter) => {
    writer.u32(0).attributeU32(NETNSA_NSID, NSID_ANY);
    writer.attributeU32(NETNSA_FD, fd);
  };
  const [answer] = socket.request([{ type: RTM_NEWNSID, flags: 0, body }]);
  return answer?.errno === 0;
}
