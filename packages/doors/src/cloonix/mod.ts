/**
 * cloonix's commands on yards of ours: the net NAME is the yard `cloonix-NAME`, and what the commands say is the model's
 * as `yard add`, `attach`, `impair` and the rest would change it.
 */
export { codes } from "./codes.ts";
export type { CloonixCommand } from "./command.ts";
export { type CloonixName, NAMES, netOf, yardOf } from "./nets.ts";
export { parseCommand } from "./parse.ts";
export { type Ground, runCommand } from "./run.ts";
export { USAGE } from "./usage.ts";
