/**
 * The network driver for Docker: `docker network create -d switchyard` makes a network of a yard, and the containers on
 * it are nodes of that yard.
 */
export { codes } from "./codes.ts";
export { type DriverOptions, serveDockerDriver } from "./listener.ts";
