/** What is done in nodes. */
export { Inside, type Runners } from "./inside.ts";
