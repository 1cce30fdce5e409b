/** `"type": "ovs"`: the configurations of ovs-cni, with its file of defaults. */
import { readFileSync } from "node:fs";
import type { Wishes } from "./arguments.ts";
import type { Attachment } from "./attachment.ts";
import { readBridge, readDevice, readSwitch, unknownFields } from "./dialect.ts";
import { Fields, isRecord } from "./fields.ts";
import { readVlan } from "./vlan.ts";

/** Where defaults are looked for, after `configuration_path`; the first that there is counts. */
const DEFAULTS = ["/etc/kubernetes/cni/net.d/ovs.d/ovs.conf", "/etc/cni/net.d/ovs.d/ovs.conf"];

/** The bridge of OVN, for ports that a controller knows by an id. */
const INTEGRATION = "br-int";

export function readOvs(config: Fields, wishes: Wishes, note: (line: string) => void): Attachment {
  const defaults = readDefaults(config);
  const either = (name: string) => (config.has(name) || defaults === undefined ? config : defaults);
  const socket = either("socket_file");
  const type = config.choice("interface_type", ["system", "internal", "dpdkvhostuserclient", "dpdkvhostuser"]);
  const device = readDevice(config);
  const found = device !== undefined && !config.has("bridge");
  const attachment: Attachment = {
    switch: readSwitch(socket),
    bridge: found ? "" : readBridge(config, wishes.ifaceId === undefined ? undefined : INTEGRATION),
    createBridge: false,
    way: device ?? { kind: type === "internal" ? "internal" : "veth" },
    vlan: readVlan(config),
    mtu: either("mtu").integer("mtu", 0, 65_535) || undefined,
    ofportRequest: config.integer("ofport_request", 0, 65_279) || undefined,
    bandwidth: wishes.bandwidth,
    mac: wishes.mac,
    ifaceId: wishes.ifaceId,
    podUid: wishes.podUid,
    pod: wishes.pod,
  };
  // Nothing is polled for here, so these change nothing.
  for (const name of ["link_state_check_retries", "link_state_check_interval"])
    either(name).integer(name, 0, Number.MAX_SAFE_INTEGER);
  if (type?.startsWith("dpdk"))
    config.unsupported(
      "interface_type",
      `${type} has no place in it for the socket: take type switchyard or userspace`,
    );
  for (const name of unknownFields(config)) note(`${name} means nothing to the plugin ovs, and is ignored`);
  return attachment;
}

function readDefaults(config: Fields): Fields | undefined {
  const own = config.string("configuration_path");
  for (const path of own === undefined ? DEFAULTS : [own, ...DEFAULTS]) {
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch {
      continue;
    }
    try {
      const value: unknown = JSON.parse(text);
      if (isRecord(value)) return new Fields(value, path, config.problems);
    } catch {}
    config.problems.wrong.push(`${path} is no JSON object`);
    return undefined;
  }
  return undefined;
}
