/** `"type": "userspace"`: the configurations of the userspace CNI, as far as they are for Open vSwitch. */
import type { Wishes } from "./arguments.ts";
import type { Attachment } from "./attachment.ts";
import { readBridge, readDeviceInfo, unknownFields } from "./dialect.ts";
import { type Fields, isRecord } from "./fields.ts";

/** Where sockets lie by default: what containers mount. */
const SHARED = "/var/lib/cni/usrspcni/shared";

export function readUserspace(config: Fields, wishes: Wishes, note: (line: string) => void): Attachment {
  const host = config.object("host");
  if (host === undefined) config.wrong("host", "is missing: what the host's side shall be");
  const engine = host?.choice("engine", ["ovs-dpdk", "vpp"]) ?? "ovs-dpdk";
  const iftype = host?.choice("iftype", ["vhostuser", "memif"]) ?? "vhostuser";
  const netType = host?.choice("netType", ["bridge", "none", "interface"]) ?? "bridge";
  if (engine === "vpp") host?.unsupported("engine", "vpp is not served: Open vSwitch is ovs-dpdk");
  if (iftype === "memif") host?.unsupported("iftype", "memif is not served: Open vSwitch has vhostuser");
  // Refused before there is anything; addresses belong to the container's side.
  if (netType === "interface")
    host?.unsupported("netType", "interface is not served: the host's side is a port of a bridge");
  const vhost = host?.object("vhost");
  const bridge = host?.object("bridge");
  const vlan = bridge?.integer("vlanId", 0, 4095);
  const folder = config.string("sharedDir") ?? SHARED;
  if (!folder.startsWith("/")) config.wrong("sharedDir", "is not an absolute path");
  const name = vhost?.string("socketfile");
  if (vhost !== undefined && name !== undefined && (!/^[A-Za-z0-9_.-]{1,64}$/.test(name) || /^\.\.?$/.test(name)))
    vhost.wrong("socketfile", `"${name}" is not the name of a file`);
  const container = config.any("container");
  const kubeconfig = config.string("kubeconfig");
  if (kubeconfig !== undefined && !kubeconfig.startsWith("/")) config.wrong("kubeconfig", "is not an absolute path");
  for (const known of ["logFile", "logLevel"]) config.has(known);
  for (const field of unknownFields(config)) note(`${field} means nothing to the plugin userspace, and is ignored`);
  return {
    switch: { yard: "system" },
    bridge: bridge === undefined ? "br0" : readBridge(bridge, "br0", "bridgeName"),
    createBridge: true,
    way: {
      kind: "vhostuser",
      mode: vhost?.choice("mode", ["client", "server"]) ?? "client",
      folder,
      name,
      group: vhost?.string("group"),
      permissions: 0o750,
      deviceInfo: readDeviceInfo(config),
      handover: { network: config.written, container: isRecord(container) ? container : {}, kubeconfig },
    },
    // 0 is how it is left out.
    vlan: { tag: vlan || undefined, trunks: [], cvlans: [], mode: vlan ? "access" : undefined },
    mtu: undefined,
    ofportRequest: undefined,
    bandwidth: wishes.bandwidth,
    mac: wishes.mac,
    ifaceId: wishes.ifaceId,
    podUid: wishes.podUid,
    pod: wishes.pod,
  };
}
