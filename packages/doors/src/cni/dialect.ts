/** What the dialects have in common. */
import type { SwitchChoice } from "./attachment.ts";
import type { Fields } from "./fields.ts";

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
