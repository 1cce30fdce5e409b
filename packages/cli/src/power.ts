/** Nodes stopped and started. */
import type { Commanded, Store } from "@switchyard/yard/store";
import { findNode } from "@switchyard/yard/view";
import { currentView } from "@switchyard/yard/view/store";
import { commit } from "./commanded.ts";
import { report } from "./commands/add.ts";
import { openLiveYard } from "./converge.ts";
import type { CommonOptions, Session } from "./session.ts";

/**
 * Writes that nodes are to run, or no longer, in one change, and waits for it.
 *
 * @throws YardError `node.unknown`, before anything is written, and those of the change
 */
export async function setPower(
  session: Session,
  yard: string,
  names: readonly string[],
  options: CommonOptions,
  verb: "stopped" | "started",
  write: (store: Store, names: readonly string[]) => Promise<Commanded>,
): Promise<void> {
  const began = performance.now();
  await using live = await openLiveYard(session, yard);
  const view = currentView(yard, live.store);
  const nodes = [...new Set(names)];
  for (const name of nodes) findNode(view, name);
  const title = `${verb === "stopped" ? "stop" : "start"} ${nodes.join(" ")}`;
  const changed = await commit(session, live, title, () => write(live.store, nodes), { nodes });
  report(session, options, nodes.join(", "), changed, began, verb);
}
