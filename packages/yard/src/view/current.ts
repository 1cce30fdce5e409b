import { rowsOf } from "../store/rows.ts";
import type { Store } from "../store/store.ts";
import { viewOf } from "./read.ts";
import type { YardView } from "./types.ts";
import { processBegan } from "./uptime.ts";

/** What the yard's database says now. */
export function currentView(yard: string, store: Store): YardView {
  return viewOf(yard, rowsOf(store.db), processBegan);
}
