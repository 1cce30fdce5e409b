/** Changes: tried as a plan, or written and waited for, as the commands do. */
import { describe, keepAgent, previewPlan, subjectText } from "@switchyard/yard/agent";
import {
  type ChangeOptions,
  type Commanded,
  carryOut,
  type Place,
  type Scope,
  type Store,
  waitApplied,
} from "@switchyard/yard/store";
import { z } from "zod";
import type { Site } from "./ground.ts";
import type { ChangeReply, Step } from "./shapes.ts";

/** Of operations that change something. */
export const changeQuery = z.strictObject({
  dry_run: flag().describe("Only tell the plan: what would be done, step by step."),
});

/** `true` or `false`, as a query has it; left out: false. */
export function flag() {
  return z
    .enum(["true", "false"])
    .optional()
    .transform((text) => text === "true");
}

/** What writes a change, into whatever store it is given. */
export type Write = (store: Store, place: Place, options: ChangeOptions) => Promise<Commanded>;

/**
 * Makes a change and waits for the agent's word; one that failed is withdrawn. Or with `dry_run` tells the plan.
 *
 * @param scope whose failures are this change's
 * @throws YardError, YardErrors what kept it from being made so
 */
export async function change(
  site: Site,
  { dry_run }: { readonly dry_run: boolean },
  write: Write,
  scope: Scope,
): Promise<ChangeReply> {
  const began = performance.now();
  const milliseconds = () => Math.round(performance.now() - began);
  if (dry_run) {
    const plan = await preview(site, (store, place) => write(store, place, {}));
    return { changed: null, plan, milliseconds: milliseconds() };
  }
  const changed = await withAgent(site, (died) => {
    const settle = async () => {
      const result = await write(site.store, placeOf(site), { signal: site.signal });
      const applied = waitApplied(site.store, result.cfg, { ...scope, signal: site.signal });
      return { result, failures: (await Promise.race([applied, died])).failures };
    };
    return carryOut(site.store, settle, { ...scope, died });
  });
  return { changed, plan: null, milliseconds: milliseconds() };
}

/** The steps of what would be done if `write` were. */
export async function preview(
  { yard, executable, signal }: Site,
  write: ((store: Store, place: Place) => Promise<unknown>) | undefined,
): Promise<Step[]> {
  const actions = await previewPlan(yard, write, { executable, signal });
  return actions.map((action) => ({ text: describe(action), do: action.do, subject: subjectText(action.subject) }));
}

/** With an agent, which is started where none runs. `died` rejects when there is none any more. */
export async function withAgent<R>(site: Site, work: (died: Promise<never>) => Promise<R>): Promise<R> {
  const { yard, executable, signal } = site;
  await using agent = await keepAgent(yard, { executable, signal });
  return await work(agent.died);
}

export function placeOf({ yard, host }: Site): Place {
  return { yard, host };
}
