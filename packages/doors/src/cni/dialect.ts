/** What the dialects have in common. */
import { readFileSync } from "node:fs";
import type { SwitchChoice, Way } from "./attachment.ts";
import { Fields, isRecord } from "./fields.ts";

/** What runtimes put into any configuration, and what belongs to the common part. */
const COMMON_FIELDS = [
  "cniVersion",
  "cniVersions",
  "name",
  "type",
  "ipam",
  "dns",
  "args",
  "capabilities",
  "runtimeConfig",
  "prevResult",
  "disableCheck",
  "disableGC",
  "loadOnlyInlinedPlugins",
  "cni.dev/valid-attachments",
  "cni.dev/attachments",
] as const;

/** `bridge`, a name that Open vSwitch and the kernel take. */
export function readBridge(config: Fields, byDefault: string | undefined, name = "bridge"): string {
  const bridge = config.string(name) ?? byDefault;
  if (bridge === undefined) {
    config.wrong(name, "is missing");
    return "";
  }
  if (!/^[!-~]{1,15}$/.test(bridge) || /[/:%"'\\]/.test(bridge) || /^(\.\.?$|-)/.test(bridge))
    config.wrong(name, `"${bridge}" cannot be the name of a bridge`);
  return bridge;
}

/**
 * `deviceID`, with what `runtimeConfig.CNIDeviceInfoFile` says of it (the Network Plumbing Group's device information
 * specification).
 */
export function readDevice(config: Fields): Way | undefined {
  const id = config.string("deviceID");
  if (id === undefined) return undefined;
  if (!/^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i.test(id))
    config.wrong("deviceID", `"${id}" is not a PCI address such as 0000:01:00.1`);
  const file = config.object("runtimeConfig")?.string("CNIDeviceInfoFile");
  const info = file === undefined ? undefined : readJson(config, file);
  const vdpa = info?.string("type") === "vdpa" ? info.object("vdpa") : undefined;
  if (vdpa !== undefined && vdpa.string("driver") !== "vhost")
    config.unsupported("deviceID", "is a vDPA device with another driver than vhost, which is not served");
  return { kind: "device", id: id.toLowerCase(), vdpa: vdpa?.string("path") };
}

/** `runtimeConfig.CNIDeviceInfoFile`, for a plugin that itself knows the device. */
export function readDeviceInfo(config: Fields): string | undefined {
  const file = config.object("runtimeConfig")?.string("CNIDeviceInfoFile");
  if (file !== undefined && !file.startsWith("/"))
    config.wrong("runtimeConfig.CNIDeviceInfoFile", "is not an absolute path");
  return file;
}

function readJson({ problems }: Fields, file: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (isRecord(value)) return new Fields(value, file, problems);
  } catch {}
  problems.wrong.push(`${file} cannot be read as a JSON object`);
  return undefined;
}

/** `socket_file`: the database's remote; the host's own switch by default. */
export function readSwitch(config: Fields): SwitchChoice {
  const remote = config.string("socket_file");
  if (remote === undefined) return { yard: "system" };
  if (remote.startsWith("/")) return { remote: `unix:${remote}` };
  if (!/^(unix:\/|tcp:)./.test(remote))
    config.wrong("socket_file", `"${remote}" is neither unix:/PATH nor tcp:ADDRESS:PORT`);
  return { remote };
}

/** What neither the dialect nor CNI itself has asked for. */
export function unknownFields(config: Fields): string[] {
  for (const name of COMMON_FIELDS) config.has(name);
  return config.unknown();
}
