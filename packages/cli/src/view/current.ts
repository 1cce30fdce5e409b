import { rowsOf, type Store } from "@switchyard/yard/store";
import { viewOf } from "./read.ts";
import type { YardView } from "./types.ts";
import { processBegan } from "./uptime.ts";

/** What the yard's database says now. */
export function currentView(yard: string, store: Store): YardView {
  return viewOf(yard, rowsOf(store.db), processBegan);
}
