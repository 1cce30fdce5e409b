/** The public face of bulk work on namespaces and links, by rtnetlink or, where that cannot be, by iproute2. */
import { YardError } from "@switchyard/base";
import { namespaceKey } from "./excursion.ts";
import { ffiUsable } from "./ffi.ts";
import { iproute2 } from "./iproute2.ts";
import { applyLinksByNetlink } from "./links.ts";
import * as direct from "./namespaces.ts";

import type { LinkFailure, NamespaceBatch, NamespaceFailure, NamespaceRef, NamespaceView } from "./types.ts";
import { viewNamespacesByNetlink } from "./view.ts";

/** The work that has two ways of being done. */
export interface NetworkBackend {
  createNamespaces(names: readonly string[]): NamespaceFailure[];
  deleteNamespaces(names: readonly string[]): NamespaceFailure[];
  applyLinks(batches: readonly NamespaceBatch[]): LinkFailure[];
  viewNamespaces(refs: readonly NamespaceRef[]): Map<string, NamespaceView>;
}

const netlink: NetworkBackend = {
  createNamespaces: direct.createNamespaces,
  deleteNamespaces: direct.deleteNamespaces,
  applyLinks: applyLinksByNetlink,
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
  return backend().applyLinks(batches);
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
const sliceSize = 64;
const sliceOps = 256;

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

/** As {@link applyLinks}, letting other work of the process go on in between. @throws the signal's reason, too */
export async function applyLinksInSlices(
  batches: readonly NamespaceBatch[],
  signal?: AbortSignal,
): Promise<LinkFailure[]> {
  return (await inSlices(batchChunks(batches), applyLinks, signal)).flat();
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
