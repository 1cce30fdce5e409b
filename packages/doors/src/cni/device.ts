/** Devices of the host's that a container gets: virtual functions (SR-IOV), whose representors are ports of the switch. */
import { spawnSync } from "node:child_process";
import { childEnvironment, type Mac, YardError } from "@switchyard/base";
import { applyLinks, inNamespace, type NamespaceRef } from "@switchyard/linux";
import type { Switch } from "@switchyard/vswitch";
import type { DeviceWay } from "./attachment.ts";
import { readFunction, type VirtualFunction } from "./device-sysfs.ts";
import { readVdpa, setVdpaMac, type VdpaSeen, vdpaName } from "./device-vdpa.ts";
import { DEVICE, DEVICE_LINK, NETNS, type OwnedPort, portIds } from "./marks.ts";
import { address, addressing, moveLink, seenNic } from "./nic.ts";
import { containerNamespace } from "./request.ts";
import type { Result } from "./result.ts";
import { addPort, isUserspace, removePorts } from "./rows.ts";
import { later, type Work } from "./work.ts";

/** @throws YardError `cni.no-device`, `cni.no-bridge`, `cni.link-failed`, and as `addPort` */
export async function attachDevice(work: Work, { id, vdpa }: DeviceWay): Promise<Result> {
  const { call, request, config, place, db, undo } = work;
  const { ifname, netns } = request;
  const container = containerNamespace(request, place.namespace);
  const device = readFunction(call.sysfs, id);
  const vdpaDevice = vdpa === undefined ? undefined : vdpaName(call.sysfs, vdpa);
  const attachment = { ...config.attachment, bridge: config.attachment.bridge || bridgeOf(db, device, id) };
  if (attachment.bandwidth?.egress !== undefined && isUserspace(db, attachment))
    throw new YardError("cni.unsupported", "what a device sends cannot be limited on a bridge in userspace");
  // One that is used by a driver for user space, or by way of vDPA, stays where it is.
  const link = vdpa === undefined ? device.link : undefined;
  const marks = {
    ...portIds(request, config, "device"),
    [DEVICE]: id,
    ...(link === undefined ? {} : { [DEVICE_LINK]: link }),
  };
  const port = device.representor;
  await addPort(db, attachment, { name: port }, marks, call.limits);
  later(undo, call, () => removePorts(db, ({ name }) => name === port, {}));
  call.step("port added");
  const { mtu } = attachment;
  applyLinks([
    { namespace: place.namespace, ops: [{ op: "set", name: port, up: true, ...(mtu === undefined ? {} : { mtu }) }] },
  ]);
  const told = { sandbox: netns, pciID: id, ...(vdpa === undefined ? {} : { socketPath: vdpa }) };
  const given = await work.given;
  const rest = { routes: given?.routes ?? [], dns: given?.dns ?? {} };
  const ips = (given?.ips ?? []).map((ip) => ({ ...ip, interface: 1 }));
  if (link === undefined) {
    const mac = attachment.mac === undefined ? {} : { mac: attachment.mac };
    const seen = vdpaDevice === undefined ? mac : await configureVdpa(work, vdpaDevice, device.link);
    return { interfaces: [{ name: port }, { name: ifname, ...seen, ...told }], ips, ...rest };
  }
  const wanted = given === undefined ? undefined : addressing(given, ifname);
  const mac = attachment.mac ?? wanted?.mac;
  if (mac !== undefined) setByCard(place.namespace, device, mac);
  later(undo, call, () => giveBack(place.namespace, container, ifname, link));
  moveLink(place.namespace, link, container, ifname, mtu);
  call.step("device moved");
  address(container, ifname, mac, wanted);
  const seen = seenNic(container, ifname);
  return { interfaces: [{ name: port }, { name: ifname, mac: seen.mac, mtu: seen.mtu, ...told }], ips, ...rest };
}

/** The device has the MAC and MTU itself; its function's own link, where it has one, is nothing but its line. */
async function configureVdpa({ call, config, place }: Work, name: string, link: string | undefined): Promise<VdpaSeen> {
  const { mac, mtu } = config.attachment;
  if (mtu !== undefined && link !== undefined)
    applyLinks([{ namespace: place.namespace, ops: [{ op: "set", name: link, mtu }] }]);
  if (mac !== undefined) await setVdpaMac(name, mac, call.env);
  return { ...(await readVdpa(name, call.env)), ...(mac === undefined ? {} : { mac }) };
}

/** Gives the host the link again that a port's container has, under its own name. What went with a namespace the kernel has given back. */
export function returnDevice(home: NamespaceRef, { row, ifname }: OwnedPort): void {
  const [link, netns] = [row.external_ids.get(DEVICE_LINK), row.external_ids.get(NETNS)];
  if (link !== undefined && netns !== undefined && netns !== "") giveBack(home, { path: netns }, ifname, link);
}

function giveBack(home: NamespaceRef, container: NamespaceRef, ifname: string, link: string): void {
  try {
    applyLinks([
      {
        namespace: container,
        ops: [
          { op: "set", name: ifname, up: false },
          { op: "set", name: ifname, rename: link },
          { op: "set", name: link, namespace: home },
        ],
      },
    ]);
  } catch (error) {
    if (!(error instanceof YardError) || error.code !== "namespace.missing") throw error;
  }
}

/** The bridge that the card, or the bond that it is in, is a port of. @throws YardError `cni.no-bridge` */
function bridgeOf(db: Switch, { uplinks }: VirtualFunction, id: string): string {
  for (const name of uplinks) {
    const link = db.table("Interface").find({ name });
    const port = link && [...db.table("Port")].find(({ interfaces }) => interfaces.has(link._uuid));
    const bridge = port && [...db.table("Bridge")].find(({ ports }) => ports.has(port._uuid));
    if (bridge !== undefined) return bridge.name;
  }
  throw new YardError(
    "cni.no-bridge",
    `no bridge has ${uplinks.join(" or ")} as a port, by which ${id} would be found`,
    {
      hint: "name the bridge, or add the card to it",
    },
  );
}

/** A function that the card does not trust may only have the MAC that the card has for it; one that needs no such word refuses it. */
function setByCard(home: NamespaceRef, { uplink, index }: VirtualFunction, mac: Mac): void {
  inNamespace(home, () =>
    spawnSync("ip", ["link", "set", uplink, "vf", `${index}`, "mac", mac], {
      env: childEnvironment(),
      stdio: "ignore",
    }),
  );
}
