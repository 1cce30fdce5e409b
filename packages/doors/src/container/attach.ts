/** Orders made so on the container's own switch, and what nobody orders any more, or otherwise, taken away. */
import { readFileSync, rmSync } from "node:fs";
import { asYardError, family } from "@switchyard/base";
import { applyLinks, inNamespace, type LinkOp, type NamespaceRef } from "@switchyard/linux";
import { commitEdit, type EditOptions, OWNER, PURPOSE, type Switch } from "@switchyard/vswitch";
import { type Order, parseOrder } from "./orders.ts";
import { CONTAINER_OWNER } from "./switch.ts";

const PORT = "virtio-user";
const BRIDGE = "bridge";
/** external_ids of a Port: the order that it is made by, as JSON. */
const ORDER = "cni-order";

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
  const { signal, namespace } = options;
  const limits = { owner: CONTAINER_OWNER, signal, timeout: 20_000 };
  await removeOthers(db, orders, namespace, limits);
  const outcomes: Outcome[] = [];
  for (const order of orders) {
    const port = portName(order);
    const bridge = order.bridge ?? options.bridge;
    try {
      if (order.server && !isAttached(db, port)) removeStale(namespace, order.socket);
      await commitEdit(
        db,
        (edit) => {
          // One that the switch could not make is tried again.
          edit.watched.add(port);
          if (edit.port(port) !== undefined) return;
          const on = edit.bridge(bridge)?._uuid ?? edit.addBridge(bridge, { datapath_type: "netdev" }, BRIDGE);
          const columns = {
            external_ids: { [ORDER]: JSON.stringify(order) },
            ...(order.vlan === undefined ? {} : { tag: order.vlan }),
          };
          const link = { name: port, type: "dpdk", options: { "dpdk-devargs": devargs(order) } };
          edit.addPort(on, port, columns, [link], PORT);
        },
        limits,
      );
      giveAddresses(namespace, bridge, order);
      outcomes.push({ order, port, error: undefined });
    } catch (error) {
      signal.throwIfAborted();
      outcomes.push({ order, port, error: asYardError(error).message });
    }
  }
  return outcomes;
}

/**
 * Takes ports of ours away that are ordered no more, or otherwise, and bridges of ours that are left with none. Where a
 * bridge stays, its device loses what it had for them.
 */
async function removeOthers(
  db: Switch,
  orders: readonly Order[],
  namespace: NamespaceRef,
  limits: EditOptions,
): Promise<void> {
  const wanted = new Map(orders.map((order) => [portName(order), JSON.stringify(order)]));
  const { result } = await commitEdit(
    db,
    (edit) => {
      const ops: LinkOp[] = [];
      for (const { name, external_ids } of db.table("Port")) {
        if (external_ids.get(OWNER) !== CONTAINER_OWNER || external_ids.get(PURPOSE) !== PORT) continue;
        const order = external_ids.get(ORDER);
        const placed = edit.port(name);
        if (placed === undefined || order === wanted.get(name)) continue;
        edit.removePort(placed);
        const bridge = edit.bridge(placed.bridge.name);
        if (bridge === undefined) continue;
        if (edit.ownerOf(bridge) === CONTAINER_OWNER && edit.portsOf(bridge).length === 0) edit.removeBridge(bridge);
        else ops.push(...addressing("delete", bridge.name, parseOrder(order)).reverse());
      }
      return ops;
    },
    limits,
  );
  // What somebody else has taken away already is no failure.
  if (result.length > 0) applyLinks([{ namespace, ops: result }]);
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
function giveAddresses(namespace: NamespaceRef, bridge: string, order: Order): void {
  const ops: LinkOp[] = [{ op: "set", name: bridge, up: true }, ...addressing("add", bridge, order)];
  const [failure] = applyLinks([{ namespace, ops }]).filter(({ errno }) => errno !== "EEXIST");
  if (failure !== undefined) throw new Error(`${bridge} cannot be given its addresses: ${failure.message}`);
}

function addressing(
  verb: "add" | "delete",
  dev: string,
  { addresses, routes }: Pick<Order, "addresses" | "routes">,
): LinkOp[] {
  return [
    ...addresses.map((address): LinkOp => ({ op: `address-${verb}`, name: dev, address })),
    ...routes.map(({ to, via }): LinkOp => {
      const everywhere = family(to) === 4 ? "default4" : "default6";
      const route = { to: to.endsWith("/0") ? everywhere : to, dev, ...(via === undefined ? {} : { via }) } as const;
      return { op: `route-${verb}`, route };
    }),
  ];
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
