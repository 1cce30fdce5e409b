/** ADD: a nic, a port of a bridge, addresses; whatever fails, all before it is undone. */
import { YardError } from "@switchyard/base";
import { type Switch, tunnelBridges } from "@switchyard/vswitch";
import { shapeSender } from "./bandwidth.ts";
import type { Call } from "./call.ts";
import type { NetworkConfig } from "./config.ts";
import { addAddresses, forward } from "./delegate.ts";
import { attachDevice } from "./device.ts";
import { attachInternal } from "./internal.ts";
import { findPort, portIds, portName } from "./marks.ts";
import { address, addressing, deleteLink, makeVeth, refuseExisting, seenNic } from "./nic.ts";
import type { SwitchPlace } from "./place.ts";
import { containerNamespace, type Request } from "./request.ts";
import { type Result, refuseWithoutAddress } from "./result.ts";
import { addPort, isUserspace, removePorts } from "./rows.ts";
import { sweep } from "./sweep.ts";
import { isAtLeast } from "./versions.ts";
import { addVhostUser } from "./vhostuser.ts";
import { later, type Work } from "./work.ts";

/** @throws what fails, with everything undone */
export async function add(call: Call, request: Request, config: NetworkConfig): Promise<Result> {
  const { attachment, previous } = config;
  if (!isAtLeast(config.version, "0.3.0") && config.ipam === undefined && (previous?.ips.length ?? 0) === 0)
    refuseWithoutAddress(config.version);
  const place = call.placeOf(attachment.switch);
  const container = containerNamespace(request, place.namespace);
  await using undo = new AsyncDisposableStack();
  // What takes others time is begun first.
  const opening = call.openAsIs(place);
  opening.catch(() => {});
  undo.defer(async () => (await opening.catch(() => undefined))?.[Symbol.asyncDispose]());
  if (previous === undefined) refuseExisting(container, request.ifname);
  // Addresses are given while the port is made; behind another plugin, that one has seen to them.
  const given = previous === undefined ? ipam(call, config, undo) : Promise.resolve(undefined);
  given.catch(() => {});
  try {
    const opened = await opening;
    if (!isEnough(opened.db, request, config)) await opened.catchUp();
    const made = await attach({ call, request, config, place, db: opened.db, undo, given });
    call.step("result");
    // All is well: nothing is undone, and only the database is to be given back.
    undo.move();
    await opened[Symbol.asyncDispose]();
    return { ...made, dns: config.dns ?? made.dns };
  } catch (error) {
    // What is still being given is taken back with the rest.
    await given.catch(() => {});
    throw error;
  }
}

/**
 * Whether the database as it is will do: what is written is guarded, so that only what is missing, or in the way, may
 * have come or gone meanwhile. A socket or device is nobody else's for sure only by what there is now.
 */
function isEnough(db: Switch, request: Request, { attachment }: NetworkConfig): boolean {
  const isOwn = attachment.way.kind === "veth" || attachment.way.kind === "internal";
  return isOwn && db.table("Bridge").find({ name: attachment.bridge }) !== undefined && !findPort(db, request);
}

async function attach(work: Work): Promise<Result> {
  const { call, request, config, place, db } = work;
  if (findPort(db, request) !== undefined)
    throw new YardError(
      "cni.interface-exists",
      `${request.ifname} of container ${request.containerId} is attached already`,
    );
  await sweep(db, place.namespace, call.limits);
  const { previous, attachment } = config;
  if (previous !== undefined) return attachGiven(work, previous);
  switch (attachment.way.kind) {
    case "veth":
      return attachVeth(work);
    case "internal":
      if (isUserspace(db, attachment)) return attachInternal(work);
      // It knows its ports by their devices' names, and the container's is called otherwise.
      call.warn(
        `bridge ${attachment.bridge} is of the kernel's datapath, which would lose a port moved to a container: it gets a veth`,
      );
      return attachVeth(work);
    case "device":
      return attachDevice(work, attachment.way);
    case "vhostuser":
      return addVhostUser(work, attachment.way);
  }
}

async function ipam(call: Call, config: NetworkConfig, undo: AsyncDisposableStack): Promise<Result | undefined> {
  const result = await addAddresses(config, call);
  if (result === undefined) return undefined;
  later(undo, call, () => forward("DEL", config, call));
  call.step("addresses given");
  return result;
}

async function attachVeth(work: Work): Promise<Result> {
  const { call, request, config, place, db, undo, given } = work;
  const { attachment } = config;
  const container = containerNamespace(request, place.namespace);
  const port = portName(request);
  const bridge = db.table("Bridge").find({ name: attachment.bridge });
  const wish = {
    port,
    ifname: request.ifname,
    alias: `cni ${request.containerId.slice(0, 64)} ${request.ifname}`,
    mac: attachment.mac,
    mtu: attachment.mtu,
    offloads: bridge === undefined || finishes(db, place, bridge),
    up: config.ipam === undefined,
  };
  const hostMac = makeVeth(place.namespace, container, wish);
  later(undo, call, () => deleteLink(place.namespace, port));
  call.step("nic made");
  await addPort(db, attachment, { name: port }, portIds(request, config, "veth"), call.limits);
  later(undo, call, () => removePorts(db, ({ name }) => name === port, {}));
  call.step("port added");
  const addresses = await given;
  if (addresses !== undefined) {
    const wanted = addressing(addresses, request.ifname);
    address(container, request.ifname, attachment.mac === undefined ? wanted.mac : undefined, wanted);
  }
  const { egress } = attachment.bandwidth ?? {};
  if (egress !== undefined && isUserspace(db, attachment)) await shapeSender(request.netns, request.ifname, egress);
  const { mac, mtu } = seenNic(container, request.ifname);
  return {
    interfaces: [
      { name: port, mac: hostMac, mtu },
      { name: request.ifname, mac, mtu, sandbox: request.netns },
    ],
    ips: (addresses?.ips ?? []).map((ip) => ({ ...ip, interface: 1 })),
    routes: addresses?.routes ?? [],
    dns: addresses?.dns ?? {},
  };
}

/** Chained behind another plugin, it attaches what that one left on the host; the result goes on as it is. */
async function attachGiven({ call, request, config, db, undo }: Work, previous: Result): Promise<Result> {
  const [link, ...more] = previous.interfaces.filter(({ sandbox }) => sandbox === undefined);
  if (link === undefined || more.length > 0)
    throw new YardError("cni.bad-config", "prevResult has not one interface on the host, which would be attached", {
      hint: "put this plugin first in the list, or behind one that makes a veth, such as ptp",
    });
  await addPort(db, config.attachment, { name: link.name }, portIds(request, config, "given"), call.limits);
  later(undo, call, () => removePorts(db, ({ name }) => name === link.name, {}));
  call.step("port added");
  return previous;
}

/** The kernel's datapath finishes packets; a userspace one does only with TSO, and not into a tunnel. */
function finishes(db: Switch, place: SwitchPlace, bridge: { readonly name: string; readonly datapath_type: string }) {
  if (bridge.datapath_type !== "netdev") return true;
  return place.finishesPackets() && !tunnelBridges(db).has(bridge.name);
}
