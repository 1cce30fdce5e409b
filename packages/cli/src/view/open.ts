import { rowsOf, type Store } from "@switchyard/yard/store";
import { openYard } from "../connect.ts";
import type { Session } from "../session.ts";
import { viewOf } from "./read.ts";
import type { YardView } from "./types.ts";
import { processBegan } from "./uptime.ts";

/** What the yard's database says now. */
export function currentView(yard: string, store: Store): YardView {
  return viewOf(yard, rowsOf(store.db), processBegan);
}

/** Reads a yard once. @throws YardError `yard.not-running`, `yard.no-access` */
export async function readYard(session: Session, yard: string): Promise<YardView> {
  await using store = await openYard(session, yard);
  return currentView(yard, store);
}
