import { YardError } from "@switchyard/base";
import { connectAgent } from "@switchyard/yard/client";
import { yardPaths } from "@switchyard/yard/paths";
import type { YardView } from "@switchyard/yard/view";
import { processBegan, viewOf } from "@switchyard/yard/view";
import type { Session } from "../session.ts";

/**
 * Reads a yard once: from its agent's memory, or where none runs (or one of another version) from its database.
 *
 * @throws YardError `yard.not-running`, `yard.no-access`
 */
export async function readYard(session: Session, yard: string): Promise<YardView> {
  return (await askAgent(session, yard)) ?? (await readDatabase(session, yard));
}

async function askAgent(session: Session, yard: string): Promise<YardView | undefined> {
  await using agent = await connectAgent(yardPaths(yard, session.env), session.signal);
  try {
    return agent && viewOf(yard, await agent.rows(), processBegan);
  } catch (error) {
    if (error instanceof YardError && error.code === "agent.died") return undefined;
    throw error;
  }
}

async function readDatabase(session: Session, yard: string): Promise<YardView> {
  const [{ openYard }, { currentView }] = await Promise.all([
    import("../connect.ts"),
    import("@switchyard/yard/view/store"),
  ]);
  await using store = await openYard(session, yard);
  return currentView(yard, store);
}
