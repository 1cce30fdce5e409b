/** What a host has and lacks. */
export type { Finding } from "./finding.ts";
export { examineHost } from "./host.ts";
