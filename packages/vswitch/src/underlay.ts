import { applyLinks, type NamespaceRef, viewNamespace } from "@switchyard/linux";

/**
 * Removes the VXLAN devices that send by ports of the kernel's datapath, before these ports go and take them along. While
 * that datapath removes a port of its own making it holds the lock that it needs to let go of a device, and waits until
 * all links that hang on the port have been let go of (Linux 6.1, net/openvswitch/vport-internal_dev.c and dp_notify.c):
 * with a VXLAN device among them that is a port too, it waits for ever, and every switch of the host with it.
 *
 * @param ports names of those that are to go; all of the namespace by default
 */
export function freeUnderlays(namespace: NamespaceRef, ports?: ReadonlySet<string>): void {
  const links = [...viewNamespace(namespace).links.values()];
  const lowers = new Set(
    links
      .filter(({ kind, name }) => kind === "openvswitch" && (ports === undefined || ports.has(name)))
      .map(({ index }) => index),
  );
  const ops = links
    .filter(({ vxlan }) => vxlan !== undefined && lowers.has(vxlan.lower))
    .map(({ name }) => ({ op: "delete", name }) as const);
  if (ops.length > 0) applyLinks([{ namespace, ops }]);
}
