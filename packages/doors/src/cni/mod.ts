/** The door for container runtimes: a CNI plugin, under the names of three. */
export { codes } from "./codes.ts";
export { PLUGIN_TYPES, type PluginType } from "./config.ts";
export type { SwitchPlace } from "./place.ts";
export { type PluginAnswer, type PluginCall, runPlugin } from "./plugin.ts";
export { type CniServer, serveCni } from "./serve.ts";
