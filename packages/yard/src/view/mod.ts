/** What a yard looks like to people and programs. */
export { findLab, findLink, findNetwork, findNic, findNicAt, findNode, findRunningNode } from "./find.ts";
export { type Began, impairView, portText, viewOf } from "./read.ts";
export type * from "./types.ts";
export { processBegan } from "./uptime.ts";
