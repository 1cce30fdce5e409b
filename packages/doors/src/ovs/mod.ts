/**
 * The `ovs.*` commands: Open vSwitch by single commands, as zero-os's plugin has them, with no agent. Each is one
 * guarded transaction, done when the switch has taken it, or leaves nothing behind.
 */
export { codes } from "./codes.ts";
export type { OvsCommand } from "./command.ts";
export { callOvs, ovsCommandOf, ovsCommands } from "./commands.ts";
export { OVS_OWNER, type OvsContext } from "./context.ts";
export { openPlace, type SwitchPlace, systemPlace, yardPlace } from "./place.ts";
export { frame, runPlugin } from "./plugin.ts";
