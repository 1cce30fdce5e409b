/** The way into network namespaces and back: each is entered for as few calls of the kernel as can be. */
import { read } from "bun:ffi";
import { YardError } from "@switchyard/base";
import {
  AF_NETLINK,
  CLONE_NEWNET,
  checked,
  cstring,
  errno,
  errnoName,
  libc,
  MS_BIND,
  O_CLOEXEC,
  O_RDONLY,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SystemCallError,
} from "./ffi.ts";
import { checkNamespaceFile, checkNamespaceName } from "./names.ts";
import type { NamespaceRef } from "./types.ts";

/** Where ip-netns(8) keeps named ones. */
export const NETNS_DIR = "/run/netns";
/** The calling thread's own: `/proc/self` would be that of the process's first thread. */
const OWN = "/proc/thread-self/ns/net";

/** `alpha`, `pid:42`, `/run/docker/netns/default` or `self`: what a namespace is called in maps and messages. */
export function namespaceKey(ref: NamespaceRef): string {
  if (ref === "self") return "self";
  if ("path" in ref) return ref.path;
  return "name" in ref ? ref.name : `pid:${ref.pid}`;
}

/** The file that stands for a namespace. @throws YardError `namespace.bad-name` */
export function namespacePath(ref: NamespaceRef): string {
  if (ref === "self") return OWN;
  if ("name" in ref) return `${NETNS_DIR}/${checkNamespaceName(ref.name)}`;
  if ("path" in ref) return checkNamespaceFile(ref.path);
  return `/proc/${ref.pid}/ns/net`;
}

/**
 * Opens a namespace; the descriptor keeps it alive until it is closed.
 *
 * @throws YardError `namespace.missing`, `namespace.not-permitted`, `namespace.bad-name`, `linux.call-failed`
 */
export function openNamespace(ref: NamespaceRef): number {
  const path = namespacePath(ref);
  const fd = libc().open(cstring(path), O_RDONLY | O_CLOEXEC, 0);
  if (fd >= 0) return fd;
  throw entryFailed(ref, "open", errno());
}

function entryFailed(ref: NamespaceRef, call: string, number: number): YardError {
  const key = namespaceKey(ref);
  switch (errnoName(number)) {
    case "ENOENT":
    case "ESRCH":
    // What ip-netns left behind when it was interrupted: a file that is no namespace.
    case "EINVAL":
      return new YardError("namespace.missing", `there is no network namespace ${key}`);
    case "EPERM":
    case "EACCES":
      return new YardError("namespace.not-permitted", `not permitted to enter the network namespace ${key}`, {
        hint: "run the command as root",
      });
    default:
      return new SystemCallError(call, number, key);
  }
}

/**
 * Makes sockets and opens files in other namespaces; they stay bound to them, so that all else is done at home.
 *
 * The thread is abroad only between two setns(2) with nothing but the calls wanted in between, no allocation and no
 * loop: a thread that the JavaScript engine starts meanwhile (to compile, to collect garbage) would be born in that
 * namespace and hold it, and all its links, long after its deletion.
 */
export class Excursion implements Disposable {
  readonly #home = checked(libc().open(cstring(OWN), O_RDONLY | O_CLOEXEC, 0), "open", OWN);

  /** @returns a descriptor, the caller's to close @throws as {@link openNamespace}, SystemCallError */
  socket(ref: NamespaceRef, domain: number, type: number, protocol: number): number {
    const { setns, socket, close, location } = libc();
    // To go where one is takes a right, too (setns(2)), which a container may lack.
    if (ref === "self") return checked(socket(domain, type | SOCK_CLOEXEC, protocol), "socket");
    const target = openNamespace(ref);
    let number = 0;
    let made = -1;
    let returned = 0;
    const entered = setns(target, CLONE_NEWNET);
    if (entered === 0) made = socket(domain, type | SOCK_CLOEXEC, protocol);
    if (made < 0) number = read.i32(location, 0);
    if (entered === 0) returned = setns(this.#home, CLONE_NEWNET);
    if (returned < 0) throw lost(errno());
    close(target);
    if (entered < 0) throw entryFailed(ref, "setns", number);
    if (made < 0) throw new SystemCallError("socket", number, `in ${namespaceKey(ref)}`);
    return made;
  }

  /**
   * Opens a file whose meaning depends on the namespace, as those below /proc/sys/net. `target` is from
   * {@link openNamespace}.
   *
   * @returns a descriptor, the caller's to close @throws as {@link openNamespace}, SystemCallError
   */
  file(ref: NamespaceRef, target: number, path: string, flags: number): number {
    const { setns, open, location } = libc();
    const name = cstring(path);
    let number = 0;
    let made = -1;
    let returned = 0;
    const entered = setns(target, CLONE_NEWNET);
    if (entered === 0) made = open(name, flags | O_CLOEXEC, 0);
    if (made < 0) number = read.i32(location, 0);
    if (entered === 0) returned = setns(this.#home, CLONE_NEWNET);
    if (returned < 0) throw lost(errno());
    if (entered < 0) throw entryFailed(ref, "setns", number);
    if (made < 0) throw new SystemCallError("open", number, path);
    return made;
  }

  /**
   * Makes a namespace, mounts it at `path` if one is given (else it is gone with its last socket), and opens a route
   * netlink socket in it.
   *
   * @returns the socket, the caller's to close @throws SystemCallError
   */
  socketInNew(path?: string): number {
    const { unshare, mount, socket, setns, location } = libc();
    const source = cstring(OWN);
    const target = cstring(path ?? "");
    const type = cstring("none");
    const wanted = path !== undefined;
    let number = 0;
    let mounted = 0;
    let made = -1;
    let returned = 0;
    const entered = unshare(CLONE_NEWNET);
    if (entered === 0 && wanted) mounted = mount(source, target, type, MS_BIND, null);
    if (entered === 0 && mounted === 0) made = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (made < 0) number = read.i32(location, 0);
    if (entered === 0) returned = setns(this.#home, CLONE_NEWNET);
    if (returned < 0) throw lost(errno());
    if (entered < 0) throw new SystemCallError("unshare", number, "of the network namespace");
    if (mounted < 0) throw new SystemCallError("mount", number, path);
    if (made < 0) throw new SystemCallError("socket", number, "AF_NETLINK");
    return made;
  }

  /** Runs `body` abroad, whatever it takes. */
  stay<R>(ref: NamespaceRef, body: () => R): R {
    const target = openNamespace(ref);
    try {
      if (libc().setns(target, CLONE_NEWNET) < 0) throw entryFailed(ref, "setns", errno());
    } finally {
      libc().close(target);
    }
    try {
      return body();
    } finally {
      this.#return();
    }
  }

  #return(): void {
    if (libc().setns(this.#home, CLONE_NEWNET) < 0) throw lost(errno());
  }

  [Symbol.dispose](): void {
    libc().close(this.#home);
  }
}

function lost(number: number): YardError {
  return new YardError("linux.namespace-lost", "the way back to the own network namespace is barred", {
    cause: new SystemCallError("setns", number, "to the own namespace"),
  });
}

/**
 * Runs `body` inside a namespace and returns to the own one, also when it throws. It must be synchronous. The sockets
 * that it opens, what it reads below `/proc/sys/net` and `/proc/thread-self/net`, and the processes that it starts
 * belong to that namespace; a process goes on living there.
 *
 * Keep it short, and where a socket is all that is wanted take {@link socketInNamespace}: see {@link Excursion}.
 *
 * @throws YardError `namespace.missing`, `namespace.not-permitted`, `linux.asynchronous-body`, and what `body` throws
 */
export function inNamespace<R>(ref: NamespaceRef, body: () => R): R {
  if (ref === "self") return body();
  using excursion = new Excursion();
  const result = excursion.stay(ref, body);
  if (result instanceof Promise)
    throw new YardError("linux.asynchronous-body", "code inside a namespace must not be asynchronous");
  return result;
}

/**
 * A socket of a namespace (socket(2)), close-on-exec; all that is done with it afterwards happens there.
 *
 * @returns its descriptor, the caller's to close
 * @throws YardError `namespace.missing`, `namespace.not-permitted`, `linux.call-failed`
 */
export function socketInNamespace(ref: NamespaceRef, domain: number, type: number, protocol: number): number {
  using excursion = new Excursion();
  return excursion.socket(ref, domain, type, protocol);
}
