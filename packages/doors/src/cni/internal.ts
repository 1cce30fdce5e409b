/**
 * Internal ports: the switch makes the device, which is moved to the container. It has one hop less than a veth; but
 * when ovs-vswitchd starts anew it makes another device, in its own namespace, and the container has lost its nic. For
 * userspace bridges: the kernel's datapath has lost the port as soon as its device has another name.
 */

import { waitTaken } from "@switchyard/vswitch";
import { portIds, portName } from "./marks.ts";
import { address, addressing, moveLink, seenNic } from "./nic.ts";
import { containerNamespace } from "./request.ts";
import type { Result } from "./result.ts";
import { addPort, removePorts } from "./rows.ts";
import { later, type Work } from "./work.ts";

/** @throws as `addPort`; YardError `cni.link-failed` */
export async function attachInternal({ call, request, config, place, db, undo, given }: Work): Promise<Result> {
  const { attachment } = config;
  const { ifname, netns } = request;
  const container = containerNamespace(request, place.namespace);
  const port = portName(request);
  await addPort(db, attachment, { name: port, type: "internal" }, portIds(request, config, "internal"), call.limits);
  // The device goes with its row, wherever it is.
  later(undo, call, async () => {
    await removePorts(db, ({ name }) => name === port, {});
    await waitTaken(db, call.limits);
  });
  call.step("port added");
  moveLink(place.namespace, port, container, ifname, attachment.mtu);
  call.step("nic moved");
  const addresses = await given;
  const wanted = addresses === undefined ? undefined : addressing(addresses, ifname);
  address(container, ifname, attachment.mac ?? wanted?.mac, wanted);
  const { mac, mtu } = seenNic(container, ifname);
  return {
    interfaces: [{ name: ifname, mac, mtu, sandbox: netns }],
    ips: (addresses?.ips ?? []).map((ip) => ({ ...ip, interface: 0 })),
    routes: addresses?.routes ?? [],
    dns: addresses?.dns ?? {},
  };
}
