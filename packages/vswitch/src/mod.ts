/** Open vSwitch's semantics over its database: starting a switch, seeing what is in it, changing it. */

export {
  type BridgeRow,
  type InterfaceRow,
  type OpenVSwitchTables,
  type PortRow,
  schema,
} from "../schema/open_vswitch.gen.ts";
export { appctl, type FdbEntry, fdbShow } from "./appctl.ts";
export { applySwitch, checkPorts, removeOwned, waitTaken } from "./apply.ts";
export { codes } from "./codes.ts";
export { type Counters, type CountersWatch, readCounters, watchCounters } from "./counters.ts";
export { findProgram } from "./daemon.ts";
export { type DatabaseFile, SWITCH_SCHEMA } from "./database-file.ts";
export { probeDatapath } from "./datapath.ts";
export * from "./ensure.ts";
export { OWNER, PURPOSE } from "./marks.ts";
export { bridgeName, hubName, parsePortName, pipeEnd, pipeNames, portName, spyName, wireName } from "./names.ts";
export { observeSwitch } from "./observe.ts";
export { openSwitch, openWholeSwitch } from "./open.ts";
export { type DatabaseServerOptions, startDatabaseServer, stopDatabaseServer } from "./server.ts";
export { probeUserspaceTso, userspaceTso } from "./tso.ts";
export { tunnelBridges, VXLAN_OVERHEAD } from "./tunnels.ts";
export * from "./types.ts";
export { freeUnderlays } from "./underlay.ts";
export { type CallOptions, unixctl } from "./unixctl.ts";
export { startVswitchd, stopVswitchd, type VswitchdOptions, vswitchdRuns, watchVswitchd } from "./vswitchd.ts";
