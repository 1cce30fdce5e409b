/** Orders made so on the container's own switch, and ports that nobody orders any more taken away. */
import { readFileSync, rmSync } from "node:fs";
import { asYardError } from "@switchyard/base";
import { applyLinks, inNamespace, type NamespaceRef } from "@switchyard/linux";
import { commitEdit, OWNER, type Switch } from "@switchyard/vswitch";
import type { Order } from "./orders.ts";
import { CONTAINER_OWNER } from "./switch.ts";

const PORT = "virtio-user";
const BRIDGE = "bridge";
/** external_ids of a Port: the socket that it is for. */
const SOCKET = "cni-socket";

/** What has become of an order. */
export interface Outcome {
  readonly order: Order;
  readonly port: string;
  readonly error: string | undefined;
}

export interface AttachOptions {
  /** Where an order names no bridge. */
  readonly bridge: string;
  readonly signal: AbortSignal;
  /** Where the bridge's own device is. */
  readonly namespace: NamespaceRef;
}

/** Makes each order so, whatever becomes of the others. */
export async function converge(db: Switch, orders: readonly Order[], options: AttachOptions): Promise<Outcome[]> {
  const { signal } = options;
  const wanted = new Set(orders.map(portName));
  const limits = { owner: CONTAINER_OWNER, signal, timeout: 20_000 };
  await commitEdit(
    db,
    (edit) => {
      for (const { name, external_ids } of db.table("Port")) {
        const placed = external_ids.get(OWNER) === CONTAINER_OWNER && external_ids.has(SOCKET) && edit.port(name);
        if (placed && !wanted.has(name)) edit.removePort(placed);
      }
    },
    limits,
  );
  const outcomes: Outcome[] = [];
  for (const order of orders) {
    const port = portName(order);
    const bridge = order.bridge ?? options.bridge;
    try {
      if (order.server && !isAttached(db, port)) removeStale(options.namespace, order.socket);
      await commitEdit(
        db,
        (edit) => {
          // One that the switch could not make is tried again.
          edit.watched.add(port);
          if (edit.port(port) !== undefined) return;
          const on = edit.bridge(bridge)?._uuid ?? edit.addBridge(bridge, { datapath_type: "netdev" }, BRIDGE);
          const columns = {
            external_ids: { [SOCKET]: order.socket },
            ...(order.vlan === undefined ? {} : { tag: order.vlan }),
          };
          const link = { name: port, type: "dpdk", options: { "dpdk-devargs": devargs(order) } };
          edit.addPort(on, port, columns, [link], PORT);
        },
        limits,
      );
      address(options.namespace, bridge, order);
      outcomes.push({ order, port, error: undefined });
    } catch (error) {
      signal.throwIfAborted();
      outcomes.push({ order, port, error: asYardError(error).message });
    }
  }
  return outcomes;
}

/** Whether the switch has a port, and has been able to make it. */
export function isAttached(db: Switch, port: string): boolean {
  const link = db.table("Interface").find({ name: port });
  return link !== undefined && link.error === undefined && link.ofport !== undefined && link.ofport >= 0;
}

/** A switch that was killed leaves its sockets, and its successor can make none where a file is. */
function removeStale(namespace: NamespaceRef, socket: string): void {
  const sockets = inNamespace(namespace, () => readFileSync("/proc/thread-self/net/unix", "utf8"));
  if (!sockets.split("\n").some((line) => line.endsWith(` ${socket}`))) rmSync(socket, { force: true });
}

/** The bridge's own device has the addresses, as the container's programs use it. */
function address(namespace: NamespaceRef, bridge: string, { addresses }: Order): void {
  const [failure] = applyLinks([
    {
      namespace,
      ops: [
        { op: "set", name: bridge, up: true },
        ...addresses.map((cidr) => ({ op: "address-add", name: bridge, address: cidr }) as const),
      ],
    },
  ]).filter(({ errno }) => errno !== "EEXIST");
  if (failure !== undefined) throw new Error(`${bridge} cannot be given its addresses: ${failure.message}`);
}

/** A virtio-user device of DPDK's: the other end of vhost-user. Its number must be no other's in the process. */
function devargs(order: Order): string {
  return `net_virtio_user${hash(order) % 1_000_000},path=${order.socket},queues=1${order.server ? ",server=1" : ""}`;
}

function portName(order: Order): string {
  return `vu${hash(order).toString(16).padStart(8, "0")}`;
}

function hash({ containerId, ifname }: Order): number {
  return Number(Bun.hash(`${containerId}\0${ifname}`) & 0xffff_ffffn);
}
