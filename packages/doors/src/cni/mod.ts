/** The door for container runtimes: a CNI plugin, under the names of three. */
export { codes } from "./codes.ts";
export { PLUGIN_TYPES, type PluginType } from "./config.ts";
export { installPlugins, uninstallPlugins } from "./install.ts";
export { writeKubeconfig } from "./kubeconfig.ts";
export { isKubernetesName, type Kubernetes, openKubernetes } from "./kubernetes.ts";
export { markNode, offeredBridges, openBridges, RESOURCE_PREFIX, runMarker } from "./marker.ts";
export { ownedPorts } from "./marks.ts";
export type { SwitchPlace } from "./place.ts";
export { type PluginAnswer, type PluginCall, runPlugin } from "./plugin.ts";
export { callNetwork, type NetworkList, type RuntimeAnswer, type RuntimeCall, readNetwork } from "./runtime.ts";
export { type CniServer, serveCni } from "./serve.ts";
