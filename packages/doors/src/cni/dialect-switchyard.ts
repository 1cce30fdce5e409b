/** `"type": "switchyard"`: our own configuration, in which nothing unknown passes. */
import type { Wishes } from "./arguments.ts";
import type { Attachment, SwitchChoice, Way } from "./attachment.ts";
import { readBandwidth } from "./bandwidth.ts";
import { readBridge, readDevice, readDeviceInfo, readSwitch, unknownFields } from "./dialect.ts";
import type { Fields } from "./fields.ts";
import { readVlan } from "./vlan.ts";

/** Where vhost-user sockets lie, each container's in a folder of its own. */
const SOCKETS = "/var/lib/cni/usrspcni/shared";

export function readSwitchyard(config: Fields, wishes: Wishes): Attachment {
  const type = config.choice("interfaceType", ["veth", "dpdkvhostuserclient", "dpdkvhostuser", "internal"]) ?? "veth";
  const socket = {
    folder: config.string("socketDir") ?? SOCKETS,
    group: config.string("socketGroup"),
    permissions: readPermissions(config, "socketMode"),
  };
  if (!socket.folder.startsWith("/")) config.wrong("socketDir", "is not an absolute path");
  const way: Way =
    type === "veth" || type === "internal"
      ? { kind: type }
      : {
          kind: "vhostuser",
          mode: type === "dpdkvhostuser" ? "server" : "client",
          name: undefined,
          handover: undefined,
          deviceInfo: readDeviceInfo(config),
          ...socket,
        };
  const device = readDevice(config);
  const own = readBandwidth(config.object("bandwidth"));
  const bandwidth = wishes.bandwidth ?? own;
  if (type === "internal" && bandwidth !== undefined)
    config.unsupported("bandwidth", "is not served with interfaceType internal: the switch has no hold of the device");
  const attachment: Attachment = {
    switch: choose(config),
    bridge: device !== undefined && !config.has("bridge") ? "" : readBridge(config, undefined),
    createBridge: config.boolean("createBridge") ?? false,
    way: device ?? way,
    vlan: readVlan(config),
    mtu: config.integer("mtu", 68, 65_535),
    ofportRequest: config.integer("ofport_request", 1, 65_279),
    bandwidth,
    mac: wishes.mac,
    ifaceId: wishes.ifaceId,
    podUid: wishes.podUid,
    pod: wishes.pod,
  };
  for (const name of unknownFields(config))
    config.unsupported(name, "is no field of a configuration of type switchyard");
  return attachment;
}

/** `yard`, or the `socket_file` of a switch; the host's own by default. */
function choose(config: Fields): SwitchChoice {
  const yard = config.string("yard");
  if (yard === undefined) return readSwitch(config);
  if (config.has("socket_file")) config.wrong("yard", "and socket_file do not go together");
  return { yard };
}

/** `"0770"`: the owner's name for a mode in octal. */
function readPermissions(config: Fields, name: string): number {
  const text = config.string(name);
  if (text === undefined) return 0o750;
  if (!/^0?[0-7]{3}$/.test(text)) config.wrong(name, `is "${text}", and should be three octal digits such as "0770"`);
  return Number.parseInt(text, 8) || 0;
}
