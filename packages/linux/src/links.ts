/** Links, addresses and routes changed in bulk, over many namespaces, by rtnetlink. */
import { YardError } from "@switchyard/base";
import type { LinkWork } from "./backend.ts";
import { Excursion, namespaceKey, openNamespace } from "./excursion.ts";
import { errnoName, errnoText, libc, SystemCallError } from "./ffi.ts";
import { hasIpv6 } from "./kernel.ts";
import { addAddress, deleteAddress } from "./netlink/address.ts";
import { setOffloads } from "./netlink/ethtool.ts";
import {
  createLink,
  createMacvlan,
  createVeth,
  createVxlan,
  deleteLink,
  type LinkSettings,
  setLink,
} from "./netlink/link.ts";
import { addRoute, deleteRoute } from "./netlink/route.ts";
import { type NetlinkRequest, NetlinkSocket } from "./netlink/socket.ts";
import { SINK_MTU, sinkKind } from "./sink.ts";
import { setSysctls } from "./sysctl.ts";
import { makeTap } from "./tap.ts";
import type { LinkFailure, LinkOp, NamespaceRef } from "./types.ts";

/** Open descriptors of far namespaces at a time; a process has 1,024 by default. */
const mostDescriptors = 256;

/**
 * What a veth's far end still needs in the far namespace: the kernel takes no alias when it makes a link, and opens no
 * veth whose other end is not there yet.
 */
interface FarEnd {
  readonly namespace: NamespaceRef;
  readonly near: NamespaceRef;
  readonly op: LinkOp;
  readonly name: string;
  readonly settings: LinkSettings;
  readonly offloads: boolean | undefined;
  readonly addressed: boolean | undefined;
}

/** {@link LinkWork} by rtnetlink. */
export class NetlinkLinkWork implements LinkWork {
  readonly #failures = new Failures();
  readonly #farEnds = new Map<string, FarEnd[]>();
  readonly #excursion = new Excursion();

  get failures(): readonly LinkFailure[] {
    return this.#failures.list;
  }

  visit(namespace: NamespaceRef, ops: readonly LinkOp[]): void {
    const key = namespaceKey(namespace);
    const due = this.#farEnds.get(key) ?? [];
    this.#farEnds.delete(key);
    visit(this.#excursion, namespace, ops, due, this.#failures, (later) => {
      const farKey = namespaceKey(later.namespace);
      const list = this.#farEnds.get(farKey);
      if (list === undefined) this.#farEnds.set(farKey, [later]);
      else list.push(later);
    });
  }

  owed(): NamespaceRef[] {
    return Array.from(this.#farEnds.values(), ([first]) => first?.namespace ?? "self");
  }

  [Symbol.dispose](): void {
    this.#excursion[Symbol.dispose]();
  }
}

class Failures {
  readonly list: LinkFailure[] = [];
  readonly #failed = new Set<LinkOp>();

  /** One operation may be several requests; its first failure tells. */
  add(namespace: NamespaceRef, op: LinkOp, errno: string, message: string): void {
    if (this.#failed.has(op)) return;
    this.#failed.add(op);
    this.list.push({ namespace, op, errno, message });
  }

  has(op: LinkOp): boolean {
    return this.#failed.has(op);
  }
}

function visit(
  excursion: Excursion,
  namespace: NamespaceRef,
  ops: readonly LinkOp[],
  due: readonly FarEnd[],
  failures: Failures,
  later: (end: FarEnd) => void,
): void {
  let opened: NetlinkSocket;
  try {
    opened = NetlinkSocket.open(excursion, namespace);
  } catch (error) {
    const { errno, message } = reason(error);
    for (const op of ops) failures.add(namespace, op, errno, message);
    for (const end of due) failures.add(end.near, end.op, errno, message);
    return;
  }
  using socket = opened;
  using queue = new Queue(socket, failures);
  for (const { near, op, name, settings, offloads, addressed } of due) {
    if (failures.has(op)) continue;
    // Where there is no IPv6 there is nothing to ask for either.
    if (addressed) {
      const of = `net.ipv6.conf.${name}`;
      setSysctls(namespace, { [`${of}.router_solicitations`]: "0", [`${of}.accept_dad`]: "0" });
    }
    if (offloads !== undefined) queue.offloads(near, op, name, offloads);
    queue.push(near, op, setLink(name, settings));
  }
  for (const op of ops) {
    try {
      enqueue(excursion, queue, namespace, op, later);
    } catch (error) {
      const { errno, message } = reason(error);
      failures.add(namespace, op, errno, message);
    }
  }
  queue.flush();
}

function reason(error: unknown): { errno: string; message: string } {
  if (error instanceof SystemCallError) return { errno: error.errno, message: error.message };
  if (error instanceof YardError && error.code === "namespace.missing")
    return { errno: "ENOENT", message: error.message };
  if (error instanceof YardError && error.code === "namespace.not-permitted")
    return { errno: "EPERM", message: error.message };
  if (error instanceof YardError && error.code === "link.no-sink")
    return { errno: "EOPNOTSUPP", message: error.message };
  throw error;
}

/** No link has the name; thrown while a request is put together. */
class NoSuchLink extends SystemCallError {
  constructor(name: string) {
    super("lookup", 19, `of the link ${name}`);
    this.message = `there is no link ${name} (ENODEV)`;
  }
}

function enqueue(
  excursion: Excursion,
  queue: Queue,
  here: NamespaceRef,
  op: LinkOp,
  later: (end: FarEnd) => void,
): void {
  switch (op.op) {
    case "veth": {
      const { peer, mtu } = op;
      const near = { name: op.name, up: op.port ? undefined : op.up, mtu, mac: op.mac };
      const far = { name: peer.name, mtu, mac: peer.mac };
      queue.push(here, op, createVeth(near, far, queue.namespace(peer.namespace)), true);
      const { alias } = op;
      const master = op.master === undefined ? undefined : queue.index(op.master);
      // Up only when it is silent, or it would have an address at once.
      if (op.port)
        queue.push(here, op, setLink(op.name, { alias, up: op.up, master, silent: true, unaddressed: hasIpv6(mtu) }));
      else if (alias !== undefined || master !== undefined) queue.push(here, op, setLink(op.name, { alias, master }));
      const { offloads, addressed } = peer;
      if (peer.alias !== undefined || peer.up !== undefined || offloads !== undefined || addressed !== undefined) {
        const quiet = peer.port ? { silent: true, unaddressed: hasIpv6(mtu) } : {};
        const settings = { alias: peer.alias, up: peer.up, ...quiet };
        later({ namespace: peer.namespace, near: here, op, name: peer.name, settings, offloads, addressed });
      }
      return;
    }
    case "tap": {
      const { name, up, mtu, mac, alias } = op;
      // No request of netlink makes one. What waits may take the name away from another.
      queue.flush();
      makeTap(excursion, here, name, op.owner);
      const quiet = op.port ? { silent: true, unaddressed: hasIpv6(mtu) } : {};
      queue.push(here, op, setLink(name, { alias, mtu, mac, up, ...quiet }));
      return;
    }
    case "macvlan": {
      const { name, mtu, mac, alias, up, tap } = op;
      const parent = queue.index(op.parent);
      const namespace = op.namespace === undefined ? undefined : queue.namespace(op.namespace);
      queue.push(here, op, createMacvlan(name, { mtu, mac, namespace }, parent, tap), true);
      const settings = { alias, up };
      if (op.namespace === undefined) queue.push(here, op, setLink(name, settings));
      else
        later({ namespace: op.namespace, near: here, op, name, settings, offloads: undefined, addressed: undefined });
      return;
    }
    case "bridge": {
      const { name, mtu, mac, alias, up, group } = op;
      queue.push(here, op, createLink(name, "bridge", { mtu, mac }), true);
      queue.push(here, op, setLink(name, { alias, up, group }));
      return;
    }
    case "sink": {
      const { name, alias, up } = op;
      queue.push(here, op, createLink(name, sinkKind(), { mtu: SINK_MTU }), true);
      queue.push(here, op, setLink(name, { alias, silent: true, unaddressed: hasIpv6() }));
      // Apart: it has carrier at once, and in one request the flags come before the rest.
      if (up !== undefined) queue.push(here, op, setLink(name, { up }));
      return;
    }
    case "set": {
      const { up, mtu, mac, alias, rename, group, promisc } = op;
      if (op.offloads !== undefined) queue.offloads(here, op, op.name, op.offloads);
      const master = op.master === undefined ? undefined : op.master === "" ? 0 : queue.index(op.master);
      if (rename === undefined && op.namespace === undefined) {
        queue.push(here, op, setLink(op.name, { up, mtu, mac, alias, master, group, promisc }));
        return;
      }
      // In this order: looking up may send what waits, which closes descriptors.
      const index = queue.index(op.name);
      const namespace = op.namespace === undefined ? undefined : queue.namespace(op.namespace);
      queue.push(here, op, setLink(index, { up, mtu, mac, alias, rename, namespace, master, group, promisc }), true);
      return;
    }
    case "vxlan": {
      const { name, up, mtu, alias, vxlan } = op;
      queue.push(here, op, createVxlan(name, { up, mtu }, vxlan, queue.index(vxlan.dev)), true);
      if (alias !== undefined) queue.push(here, op, setLink(name, { alias }));
      return;
    }
    case "delete":
      queue.push(here, op, deleteLink(op.name), true);
      return;
    case "address-add":
      queue.push(here, op, addAddress(queue.index(op.name), op.address));
      return;
    case "address-delete":
      queue.push(here, op, deleteAddress(queue.index(op.name), op.address));
      return;
    case "route-add":
    case "route-delete": {
      const { dev } = op.route;
      const request = op.op === "route-add" ? addRoute : deleteRoute;
      queue.push(here, op, request(op.route, dev === undefined ? 0 : queue.index(dev)));
      return;
    }
  }
}

/** Requests of one namespace that wait to be sent together, and what they need until then. */
class Queue implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #failures: Failures;
  #waiting: { readonly near: NamespaceRef; readonly op: LinkOp; readonly request: NetlinkRequest }[] = [];
  /** Whether what waits gives names to links, or takes them. */
  #renames = false;
  readonly #indexes = new Map<string, number>();
  readonly #namespaces = new Map<string, number>();

  constructor(socket: NetlinkSocket, failures: Failures) {
    this.#socket = socket;
    this.#failures = failures;
  }

  push(near: NamespaceRef, op: LinkOp, request: NetlinkRequest, renames = false): void {
    this.#waiting.push({ near, op, request });
    if (renames) this.#renames = true;
  }

  /** The ifindex of a name as it will be after all that waits. @throws SystemCallError with ENODEV */
  index(name: string): number {
    if (this.#renames) this.flush();
    let index = this.#indexes.get(name) ?? 0;
    if (index === 0) {
      index = this.#socket.indexOf(name);
      if (index === 0) throw new NoSuchLink(name);
      this.#indexes.set(name, index);
    }
    return index;
  }

  /** Sets at once, after all that waits, whether a link leaves checksums to others. */
  offloads(near: NamespaceRef, op: LinkOp, name: string, on: boolean): void {
    if (this.#renames) this.flush();
    const number = setOffloads(this.#socket.fd, name, on);
    if (number !== 0) this.#failures.add(near, op, errnoName(number), `offloads: ${errnoText(errnoName(number))}`);
  }

  /** A descriptor of a namespace, good until the next flush. */
  namespace(ref: NamespaceRef): number {
    const key = namespaceKey(ref);
    let fd = this.#namespaces.get(key);
    if (fd === undefined) {
      if (this.#namespaces.size >= mostDescriptors) this.flush();
      fd = openNamespace(ref);
      this.#namespaces.set(key, fd);
    }
    return fd;
  }

  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#indexes.clear();
    this.#renames = false;
    const answers = this.#socket.request(waiting.map(({ request }) => request));
    for (const [i, { near, op }] of waiting.entries()) {
      const answer = answers[i];
      if (answer === undefined || answer.errno === 0) continue;
      const errno = errnoName(answer.errno);
      this.#failures.add(near, op, errno, answer.text === "" ? errnoText(errno) : `${answer.text} (${errno})`);
    }
    this.#close();
  }

  #close(): void {
    for (const fd of this.#namespaces.values()) libc().close(fd);
    this.#namespaces.clear();
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}
