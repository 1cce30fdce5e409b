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
import type { Call } from "./operation.ts";
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

/** Of a request: what a change needs to know. */
export type Asked = Pick<Call<{ readonly dry_run: boolean }>, "site" | "principal" | "query">;

/** A change, and how it is told of. */
export interface Proposal {
  /** In words, for the history: `stop web`. */
  readonly what: string;
  readonly write: Write;
  /** Whose failures are this change's. */
  readonly scope: Scope;
  /** A moment after the same one it goes on with that: of sliders. */
  readonly merge?: boolean;
}

/**
 * Makes a change and waits for the agent's word; one that failed is withdrawn. Or with `dry_run` tells the plan.
 *
 * @throws YardError, YardErrors what kept it from being made so
 */
export async function change({ site, principal, query }: Asked, proposal: Proposal): Promise<ChangeReply> {
  const { what, write, scope, merge = false } = proposal;
  const began = performance.now();
  const milliseconds = () => Math.round(performance.now() - began);
  if (query.dry_run) {
    const plan = await preview(site, (store, place) => write(store, place, {}));
    return { changed: null, plan, milliseconds: milliseconds() };
  }
  const changed = await withAgent(site, async (died) => {
    const written = () => write(site.store, placeOf(site), { signal: site.signal });
    const deed = { who: principal.name, what, merge };
    const { result, forget } = await site.history.note(deed, async () => ({ result: await written() }));
    let withdrawn = false;
    const settle = async () => {
      const applied = waitApplied(site.store, result.cfg, { ...scope, signal: site.signal });
      const { failures } = await Promise.race([applied, died]);
      withdrawn = failures.length > 0 && result.withdraw !== undefined;
      return { result, failures };
    };
    return await carryOut(site.store, settle, { ...scope, died }).catch(async (error) => {
      if (withdrawn) await forget();
      throw error;
    });
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
