/**
 * ecDock's `ec`: containers in numbered slots of an Open vSwitch. A slot fixes a container's name, addresses, MAC and
 * OpenFlow port. It works on the switch and the engine directly, as it did when it was a script.
 */
export { codes } from "./codes.ts";
export { type KeeperOptions, runKeeper } from "./keeper.ts";
export { type EcRun, runEc } from "./run.ts";
