export { type BridgeFile, type BridgeService, type BridgeSpec, parseBridgeName, readBridge } from "./bridges.ts";
export { modelCodes } from "./codes.ts";
export { guestNic, guestSpec } from "./guests.ts";
export {
  contradiction,
  impairSpec,
  isUnimpaired,
  LINK_WAYS,
  NIC_WAYS,
  SETTINGS,
  type Setting,
  UNIMPAIRED,
  withSetting,
  writtenSettings,
} from "./impair.ts";
export { impliedByName } from "./implied.ts";
export { initialLab } from "./init.ts";
export { isJoint } from "./joints.ts";
export { bridgeOf, type MakingConflict, makingConflicts, makingOf, nicDenial } from "./making.ts";
export { nearest } from "./nearest.ts";
export { type LabSource, type ParsedLab, parseLab } from "./parse.ts";
export { withoutSecrets } from "./secrets.ts";
export { type FilePart, networkSpec, nicSpec, nodeSpec, type Surroundings } from "./single.ts";
export type * from "./types.ts";
export { parseNwid } from "./zerotier.ts";
