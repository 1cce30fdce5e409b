/** What a node runs in: network namespaces and the containers of three engines. */
export { codes } from "./codes.ts";
export { ensureImage } from "./image.ts";
export { execInNamespace } from "./netns/exec.ts";
export { openEngine } from "./open.ts";
export * from "./types.ts";
