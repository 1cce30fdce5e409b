/** Named network namespaces as ip-netns(8) keeps them. */
import { lstatSync, mkdirSync, readdirSync, statfsSync, statSync, unlinkSync } from "node:fs";
import { errnoOf, YardError } from "@switchyard/base";
import { Excursion, NETNS_DIR, namespacePath } from "./excursion.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  checked,
  cstring,
  errno,
  errnoName,
  LOCK_EX,
  libc,
  MNT_DETACH,
  MS_BIND,
  MS_REC,
  MS_SHARED,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  SystemCallError,
  UMOUNT_NOFOLLOW,
} from "./ffi.ts";
import { checkNamespaceName } from "./names.ts";
import { NetlinkSocket } from "./netlink/socket.ts";
import type { NamespaceFailure, NamespaceRef } from "./types.ts";

/** What statfs(2) says of a namespace's file. */
export const NSFS_MAGIC = 0x6e736673;

/**
 * Makes named namespaces with their loopback up; one that exists already is left as it is, one half-made is
 * completed. `ip netns exec` can enter them.
 *
 * @returns those that failed, with the reason; the others are made
 * @throws YardError `namespace.bad-name` before anything is done, `linux.call-failed` when /run/netns cannot be made
 */
export function createNamespaces(names: readonly string[]): NamespaceFailure[] {
  for (const name of names) checkNamespaceName(name);
  if (names.length === 0) return [];
  const failures: NamespaceFailure[] = [];
  using _lock = netnsDirectory();
  using excursion = new Excursion();
  using places = new MountPoints();
  for (const name of names) {
    try {
      createOne(excursion, places, name);
    } catch (error) {
      failures.push(namespaceFailure(name, error));
    }
  }
  return failures;
}

function createOne(excursion: Excursion, places: MountPoints, name: string): void {
  const path = `${NETNS_DIR}/${name}`;
  if (!places.make(path) && isNamespaceFile(path)) {
    // Its maker may have been killed just before its last step.
    using socket = NetlinkSocket.open(excursion, { name });
    socket.raiseLoopback();
    return;
  }
  using socket = NetlinkSocket.adopt(newNamespace(excursion, path));
  socket.raiseLoopback();
}

function newNamespace(excursion: Excursion, path: string): number {
  try {
    return excursion.socketInNew(path);
  } catch (error) {
    unmountAll(path);
    unlinkSync(path);
    throw error;
  }
}

/**
 * Makes empty files to mount upon. All of one batch are names of one file: a mount lies on the name, and a new file
 * can cost a millisecond where /run is not a tmpfs (ext4 is slow to reuse the inodes of files just deleted).
 */
class MountPoints implements Disposable {
  #file = -1;
  #source = cstring("");

  /** @returns whether there was none @throws SystemCallError */
  make(path: string): boolean {
    const target = cstring(path);
    const { open, linkat, close } = libc();
    if (this.#file >= 0) {
      if (linkat(AT_FDCWD, this.#source, AT_FDCWD, target, AT_SYMLINK_FOLLOW) === 0) return true;
      // Too many links, or the first name is gone again: then a file of its own.
      if (errnoName(errno()) === "EEXIST") return false;
    }
    const fd = open(target, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
    if (fd < 0) {
      if (errnoName(errno()) === "EEXIST") return false;
      throw new SystemCallError("open", errno(), path);
    }
    if (this.#file >= 0) close(this.#file);
    this.#file = fd;
    this.#source = cstring(`/proc/thread-self/fd/${fd}`);
    return true;
  }

  [Symbol.dispose](): void {
    if (this.#file >= 0) libc().close(this.#file);
  }
}

function mountNamespace(source: string, path: string): void {
  checked(libc().mount(cstring(source), cstring(path), cstring("none"), MS_BIND, null), "mount", path);
}

function isNamespaceFile(path: string): boolean {
  return statfsSync(path).type === NSFS_MAGIC;
}

/**
 * /run/netns as ip-netns(8) has it: a shared mount, so that a namespace made or deleted in one mount namespace is so
 * in all of them. Locked while it is held, as ip does itself.
 */
function netnsDirectory(): Disposable {
  mkdirSync(NETNS_DIR, { recursive: true, mode: 0o755 });
  const directory = cstring(NETNS_DIR);
  const fd = checked(libc().open(directory, O_RDONLY | O_CLOEXEC, 0), "open", NETNS_DIR);
  try {
    checked(libc().flock(fd, LOCK_EX), "flock", NETNS_DIR);
    const none = cstring("none");
    const share = () => libc().mount(cstring(""), directory, none, MS_SHARED | MS_REC, null);
    if (share() < 0) {
      // Not a mount point yet.
      if (errnoName(errno()) !== "EINVAL") throw new SystemCallError("mount --make-shared", errno(), NETNS_DIR);
      checked(libc().mount(directory, directory, none, MS_BIND | MS_REC, null), "mount --bind", NETNS_DIR);
      checked(share(), "mount --make-shared", NETNS_DIR);
    }
  } catch (error) {
    libc().close(fd);
    throw error;
  }
  return { [Symbol.dispose]: () => libc().close(fd) };
}

/**
 * Gives the network namespace of a process a name, so that `ip netns exec` and this room can use it. A name that
 * means another namespace from then on means this one.
 *
 * @throws YardError `namespace.bad-name`, `namespace.missing` when there is no such process, `namespace.adopt-failed`
 */
export function adoptNamespace(name: string, pid: number): void {
  checkNamespaceName(name);
  const source = `/proc/${pid}/ns/net`;
  const path = `${NETNS_DIR}/${name}`;
  const wanted = inodeOf(source);
  if (wanted === undefined) throw new YardError("namespace.missing", `there is no process ${pid}`);
  try {
    using _lock = netnsDirectory();
    if (inodeOf(path) === wanted && isNamespaceFile(path)) return;
    unmountAll(path);
    // Others link names to /proc/<pid>/ns/net; a mount would follow the link.
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) unlinkSync(path);
    const fd = checked(libc().open(cstring(path), O_RDONLY | O_CREAT | O_CLOEXEC, 0), "open", path);
    libc().close(fd);
    try {
      mountNamespace(source, path);
    } catch (error) {
      unlinkSync(path);
      throw error;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new YardError(
      "namespace.adopt-failed",
      `the namespace of process ${pid} cannot be called ${name}: ${reason}`,
      {
        cause: error,
      },
    );
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

/**
 * Takes the names of namespaces away; the namespaces and all their links go with them unless a process still uses
 * them. A name that does not exist is no failure. The kernel clears up in the background: a veth's other end may be
 * seen for a moment longer.
 *
 * @throws YardError `namespace.bad-name` before anything is done
 */
export function deleteNamespaces(names: readonly string[]): NamespaceFailure[] {
  for (const name of names) checkNamespaceName(name);
  const failures: NamespaceFailure[] = [];
  for (const name of names) {
    const path = `${NETNS_DIR}/${name}`;
    try {
      unmountAll(path);
      unlinkSync(path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") failures.push(namespaceFailure(name, error));
    }
  }
  return failures;
}

/** Two makers at once may have mounted twice. */
function unmountAll(path: string): void {
  const file = cstring(path);
  for (;;) {
    if (libc().umount2(file, MNT_DETACH | UMOUNT_NOFOLLOW) === 0) continue;
    const number = errno();
    if (["EINVAL", "ENOENT"].includes(errnoName(number))) return;
    throw new SystemCallError("umount", number, path);
  }
}

function namespaceFailure(name: string, error: unknown): NamespaceFailure {
  if (error instanceof SystemCallError) return { name, errno: error.errno, message: error.message };
  return { name, errno: errnoOf(error) ?? "", message: error instanceof Error ? error.message : String(error) };
}

/** The names in /run/netns, sorted; among them may be one that was left half-made or half-deleted. */
export function listNamespaces(): string[] {
  try {
    return readdirSync(NETNS_DIR).sort();
  } catch {
    // None was ever made on this host.
    return [];
  }
}

/**
 * The number that tells namespaces apart (the inode in nsfs); two names of one namespace have the same.
 *
 * @returns undefined when there is no such namespace
 * @throws YardError `namespace.bad-name`
 */
export function namespaceId(ref: NamespaceRef): number | undefined {
  const stat = statSync(namespacePath(ref), { throwIfNoEntry: false });
  // A name may be that of a mere file. All namespaces are on one device.
  nsfs ??= statSync("/proc/self/ns/net").dev;
  return stat?.dev === nsfs ? stat.ino : undefined;
}

let nsfs: number | undefined;
