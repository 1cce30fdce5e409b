/** The public face of bulk work on namespaces and links, by rtnetlink or, where that cannot be, by iproute2. */
import { YardError } from "@switchyard/base";
import type { NetworkBackend } from "./backend.ts";
import { namespaceKey } from "./excursion.ts";
import { ffiUsable } from "./ffi.ts";
import { iproute2 } from "./iproute2.ts";
import { checkLinkOp, checkNamespaceRef } from "./link-op.ts";
import { NetlinkLinkWork } from "./links.ts";
import * as direct from "./namespaces.ts";
import type { LinkFailure, NamespaceBatch, NamespaceFailure, NamespaceRef, NamespaceView } from "./types.ts";
import { viewNamespacesByNetlink } from "./view.ts";

const netlink: NetworkBackend = {
  createNamespaces: direct.createNamespaces,
  deleteNamespaces: direct.deleteNamespaces,
  linkWork: () => new NetlinkLinkWork(),
  viewNamespaces: viewNamespacesByNetlink,
};

/** SWITCHYARD_NETLINK=iproute2 asks for the commands; so does a host where libc cannot be called. */
function backend(): NetworkBackend {
  if (process.env.SWITCHYARD_NETLINK === "iproute2") return iproute2;
  usable ??= ffiUsable();
  return usable ? netlink : iproute2;
}

let usable: boolean | undefined;

/**
 * Makes named namespaces with their loopback up; one that exists already is left as it is, one half-made is
 * completed. `ip netns exec` can enter them.
 *
 * @returns those that failed, with the reason; the others are made
 * @throws YardError `namespace.bad-name` before anything is done, `linux.call-failed` when /run/netns cannot be made
 */
export function createNamespaces(names: readonly string[]): NamespaceFailure[] {
  return backend().createNamespaces(names);
}

/**
 * Takes the names of namespaces away; the namespaces and all their links go with them unless a process still uses
 * them. A name that does not exist is no failure. The kernel clears up in the background: a veth's other end may be
 * seen for a moment longer.
 *
 * @throws YardError `namespace.bad-name` before anything is done
 */
export function deleteNamespaces(names: readonly string[]): NamespaceFailure[] {
  return backend().deleteNamespaces(names);
}

/**
 * Applies batches in order; each operation is tried whatever became of those before it.
 *
 * @returns the operations that failed, with the kernel's reason
 * @throws YardError `link.bad-name`, `link.bad-value`, `namespace.bad-name` before anything is done
 */
export function applyLinks(batches: readonly NamespaceBatch[]): LinkFailure[] {
  checkBatches(batches);
  using work = backend().linkWork();
  for (const { namespace, ops } of batches) work.visit(namespace, ops);
  for (const namespace of work.owed()) work.visit(namespace, []);
  return [...work.failures];
}

function checkBatches(batches: readonly NamespaceBatch[]): void {
  for (const { namespace, ops } of batches) {
    checkNamespaceRef(namespace);
    for (const op of ops) checkLinkOp(op);
  }
}

/**
 * What namespaces hold, by {@link namespaceKey}; one that does not exist is not in the answer.
 *
 * @throws YardError `namespace.bad-name`, `namespace.not-permitted`
 */
export function viewNamespaces(refs: readonly NamespaceRef[]): Map<string, NamespaceView> {
  return backend().viewNamespaces(refs);
}

/** What one namespace holds. @throws YardError `namespace.missing`, and as {@link viewNamespaces} */
export function viewNamespace(ref: NamespaceRef): NamespaceView {
  const view = viewNamespaces([ref]).get(namespaceKey(ref));
  if (view === undefined)
    throw new YardError("namespace.missing", `there is no network namespace ${namespaceKey(ref)}`);
  return view;
}

/** How much is done at a time by the variants that let the event loop turn in between: some 20 ms. */
const sliceSize = 32;
const sliceOps = 64;

/** As {@link createNamespaces}, letting other work of the process go on in between. @throws the signal's reason, too */
export async function createNamespacesInSlices(
  names: readonly string[],
  signal?: AbortSignal,
): Promise<NamespaceFailure[]> {
  return (await inSlices(chunks(names), createNamespaces, signal)).flat();
}

/** As {@link deleteNamespaces}, letting other work of the process go on in between. @throws the signal's reason, too */
export async function deleteNamespacesInSlices(
  names: readonly string[],
  signal?: AbortSignal,
): Promise<NamespaceFailure[]> {
  return (await inSlices(chunks(names), deleteNamespaces, signal)).flat();
}

/**
 * As {@link applyLinks}, letting other work of the process go on in between. When it is stopped, the far ends of veths
 * just made may be down and without their alias.
 *
 * @throws as {@link applyLinks}, and the signal's reason
 */
export async function applyLinksInSlices(
  batches: readonly NamespaceBatch[],
  signal?: AbortSignal,
): Promise<LinkFailure[]> {
  checkBatches(batches);
  using work = backend().linkWork();
  const visitAll = (slice: readonly NamespaceBatch[]) => {
    for (const { namespace, ops } of slice) work.visit(namespace, ops);
  };
  await inSlices(batchChunks(batches), visitAll, signal);
  await inSlices(chunks(work.owed()), (slice) => visitAll(slice.map((namespace) => ({ namespace, ops: [] }))), signal);
  return [...work.failures];
}

/** As {@link viewNamespaces}, letting other work of the process go on in between. @throws the signal's reason, too */
export async function viewNamespacesInSlices(
  refs: readonly NamespaceRef[],
  signal?: AbortSignal,
): Promise<Map<string, NamespaceView>> {
  const maps = await inSlices(chunks(refs), viewNamespaces, signal);
  return new Map(maps.flatMap((map) => [...map]));
}

async function inSlices<T, R>(slices: Iterable<T>, work: (slice: T) => R, signal?: AbortSignal): Promise<R[]> {
  const results: R[] = [];
  for (const slice of slices) {
    signal?.throwIfAborted();
    if (results.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    results.push(work(slice));
  }
  return results;
}

function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += sliceSize) yield items.slice(at, at + sliceSize);
}

/** Slices of whole batches as far as possible; a long batch is continued in the next slice. */
function* batchChunks(batches: readonly NamespaceBatch[]): Generator<NamespaceBatch[]> {
  let slice: NamespaceBatch[] = [];
  let room = sliceOps;
  for (const { namespace, ops } of batches) {
    for (let at = 0; at < ops.length; ) {
      const part = ops.slice(at, at + room);
      slice.push({ namespace, ops: part });
      at += part.length;
      room -= part.length;
      if (room > 0 && slice.length < sliceSize) continue;
      yield slice;
      slice = [];
      room = sliceOps;
    }
  }
  if (slice.length > 0) yield slice;
}
