/** What a node runs in: network namespaces, the containers of three engines, and virtual machines. */
export { codes } from "./codes.ts";
export { ensureImage } from "./image.ts";
export { execInNamespace } from "./netns/exec.ts";
export { canPrivilege, capabilitiesOf } from "./oci/privileges.ts";
export { openEngine, openVmEngine } from "./open.ts";
export { copyIntoGuest, copyOutOfGuest, type GuestShell } from "./qemu/guest-copy.ts";
export * from "./qemu/types.ts";
export { vmUser } from "./qemu/user.ts";
export { type Collected, collectText } from "./streams/collect.ts";
export { spawnInteractive } from "./streams/spawn.ts";
export * from "./types.ts";
