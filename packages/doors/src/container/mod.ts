/** The door in a container: what a host's CNI plugin has handed over becomes ports of the container's own switch. */
export { type ContainerAgentOptions, runContainerAgent } from "./agent.ts";
export { type HandoverPlaces, type Order, readOrders } from "./orders.ts";
