export { derivedMacs, slotMac } from "./addresses.ts";
export type { BridgeEntry } from "./bridge-rows.ts";
export {
  addBridgeHost,
  addBridgeNic,
  createBridge,
  deleteBridge,
  removeBridgeNic,
} from "./bridges.ts";
export { carryOut, type Settled } from "./carry-out.ts";
export type { ChangeOptions, Note } from "./change.ts";
export { type Changed, type Changes, changesBetween, type Declaration, declarationOf } from "./changes.ts";
export {
  addNetwork,
  addNode,
  attachNic,
  type Commanded,
  changePorts,
  detachNic,
  type Impaired,
  removeNetwork,
  removeNode,
  setImpair,
  spyNic,
} from "./command.ts";
export type { NodeConfig } from "./config.ts";
export { type Declared, declareLab, withdrawLabs } from "./declare.ts";
export type { Place } from "./draft.ts";
export { failureErrors } from "./failures.ts";
export * from "./foreign.ts";
export { checkHost, hostSubnets } from "./host-subnets.ts";
export { newNicName, nextNic } from "./nic-name.ts";
export { clearYard, plugNic, setRstp } from "./plug.ts";
export { STOP_GRACE, startNodes, stopNodes } from "./power.ts";
export { type Edit, edit, Snapshot, thingText } from "./record.ts";
export { restore } from "./restore.ts";
export * from "./rows.ts";
export { SettledNodes } from "./settled.ts";
export * from "./status.ts";
export { openStore, type Store } from "./store.ts";
export { chooseSubnet, freeSubnet } from "./subnet.ts";
export { type SwitchyardTables, schema as switchyardSchema } from "./switchyard.gen.ts";
export { failuresIn, type Outcome, type RowFailure, type Scope, type WaitOptions, waitApplied } from "./wait.ts";
