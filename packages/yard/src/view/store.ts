/** The view of a yard as its database, and its switch's, have it now. */
export { withCounters } from "./counters.ts";
export { currentView } from "./current.ts";
export { withLeased } from "./leased.ts";
