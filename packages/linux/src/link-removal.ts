/**
 * Deleting a link without waiting for the kernel's housekeeping. The link is gone, name and all, after some 5 ms of
 * RTM_DELLINK; the rest of the call, 15 ms and more, is an rcu_barrier() (netdev_run_todo in net/core/dev.c) which concerns
 * nobody but the kernel. As a request of netlink is done on the thread that sends it, another one sends it, and the one
 * that asked goes on when the kernel tells that the link is gone.
 */
import { YardError } from "@switchyard/base";
import { Excursion } from "./excursion.ts";
import { errnoName, errnoText, ffiUsable } from "./ffi.ts";
import { checkLinkOp } from "./link-op.ts";
import { deleteLink } from "./netlink/link.ts";
import {
  type Acknowledgement,
  acknowledgement,
  MessageWriter,
  NLM_F_ACK,
  NLM_F_REQUEST,
  Reader,
} from "./netlink/message.ts";
import { NetlinkSocket } from "./netlink/socket.ts";
import { applyLinks } from "./network.ts";
import type { LinkFailure, LinkOp, NamespaceRef } from "./types.ts";
import { type NamespaceEvent, watchNamespaces } from "./watch.ts";

/**
 * Deletes a link, with the other end of a veth, and waits for the kernel's housekeeping.
 *
 * @returns why that could not be, `ENODEV` where there is none
 * @throws YardError `link.bad-name`, `namespace.bad-name`, `linux.call-failed`
 */
export function removeLinkNow(namespace: NamespaceRef, name: string): LinkFailure | undefined {
  return applyLinks([{ namespace, ops: [{ op: "delete", name }] }])[0];
}

/** The thread's program, a string for the reason that is told in readiness.ts: it sends one request, and answers what the kernel does. */
const program = `
const { dlopen } = require("bun:ffi");
const { symbols } = dlopen("libc.so.6", {
  send: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
  recv: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
});
self.onmessage = ({ data: { id, fd, request } }) => {
  const answer = new Uint8Array(4096);
  const sent = Number(symbols.send(fd, request, BigInt(request.length), 0));
  const length = sent < 0 ? sent : Number(symbols.recv(fd, answer, BigInt(answer.length), 0));
  self.postMessage({ id, answer: answer.subarray(0, Math.max(0, length)) });
};
`;

type DeleteOp = Extract<LinkOp, { readonly op: "delete" }>;

interface Answer {
  readonly id: number;
  /** Empty: the kernel could not be asked. */
  readonly answer: Uint8Array;
}

class RequestThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (answer: Uint8Array) => void>();
  #next = 1;

  constructor() {
    this.#worker = new Worker(URL.createObjectURL(new Blob([program], { type: "application/javascript" })));
    this.#worker.unref();
    this.#worker.onmessage = ({ data: { id, answer } }: MessageEvent<Answer>) => {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    };
    // Who waits is told that the kernel could not be asked, and who comes next gets another thread.
    this.#worker.onerror = () => {
      const at = threads.indexOf(this);
      if (at !== -1) threads.splice(at, 1);
      this.#worker.terminate();
      for (const answer of this.#waiting.values()) answer(new Uint8Array());
      this.#waiting.clear();
    };
  }

  /** How many requests are waited for. */
  get busy(): number {
    return this.#waiting.size;
  }

  /** Requests are done one after another. */
  request(fd: number, request: Uint8Array): Promise<Uint8Array> {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const id = this.#next++;
    this.#waiting.set(id, resolve);
    this.#worker.postMessage({ id, fd, request });
    return promise;
  }
}

/**
 * Started when there is need of one, and kept: starting one takes as long as what it saves. The kernel keeps the
 * deletions themselves apart, but not its housekeeping, so that a few threads delete more than twice as many.
 */
const threads: RequestThread[] = [];
const MOST_THREADS = 4;

function idleThread(): RequestThread {
  const [least] = threads.toSorted((a, b) => a.busy - b.busy);
  if (least !== undefined && (least.busy === 0 || threads.length === MOST_THREADS)) return least;
  const fresh = new RequestThread();
  threads.push(fresh);
  return fresh;
}

/**
 * Deletes a link, with the other end of a veth. It is for processes that live on: one that ends is kept by the kernel
 * until the request is done.
 *
 * @returns when nobody finds it any more; or why that could not be, `ENODEV` where there is none
 * @throws YardError `link.bad-name`, `namespace.bad-name`, `linux.call-failed`
 */
export async function removeLink(namespace: NamespaceRef, name: string): Promise<LinkFailure | undefined> {
  const op = { op: "delete", name } as const;
  // What fails does so at once, and needs no thread.
  const found = process.env.SWITCHYARD_NETLINK === "iproute2" ? undefined : find(namespace, op);
  if (found === undefined) return removeLinkNow(namespace, name);
  const { socket, index } = found;
  const gone = Promise.withResolvers<undefined>();
  const watching = new AbortController();
  const heard = (event: NamespaceEvent) => {
    if (event.what !== "link" || event.change !== "gone") return;
    if (event.peer === undefined && event.index === index) gone.resolve(undefined);
  };
  let thread: RequestThread;
  try {
    watchNamespaces(namespace, heard, watching.signal);
    thread = idleThread();
  } catch (error) {
    socket[Symbol.dispose]();
    throw error;
  }
  const answered = thread.request(socket.fd, deletion(name)).then(readAnswer);
  answered.finally(() => socket[Symbol.dispose]()).catch(() => {});
  try {
    const answer = await Promise.race([gone.promise, answered]);
    if (answer === undefined || answer.errno === 0) return undefined;
    const errno = errnoName(answer.errno);
    return { namespace, op, errno, message: `${answer.text === "" ? errnoText(errno) : answer.text} (${errno})` };
  } finally {
    watching.abort();
  }
}

/** The link, and a socket where it is; undefined where there is none, or no way there. */
function find(namespace: NamespaceRef, op: DeleteOp) {
  checkLinkOp(op);
  if (!ffiUsable()) return undefined;
  let socket: NetlinkSocket;
  try {
    using excursion = new Excursion();
    socket = NetlinkSocket.open(excursion, namespace);
  } catch {
    return undefined;
  }
  const index = socket.indexOf(op.name);
  if (index !== 0) return { socket, index };
  socket[Symbol.dispose]();
  return undefined;
}

function deletion(name: string): Uint8Array {
  const writer = new MessageWriter();
  const { type, flags, body } = deleteLink(name);
  writer.message(type, flags | NLM_F_REQUEST | NLM_F_ACK, 1, () => body(writer));
  return writer.bytes();
}

function readAnswer(bytes: Uint8Array): Acknowledgement {
  for (const message of new Reader(bytes).messages(bytes.length)) return acknowledgement(message);
  throw new YardError("linux.call-failed", "the kernel could not be asked to delete a link");
}
