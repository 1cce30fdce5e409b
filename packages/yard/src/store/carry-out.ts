import type { ChangeOptions } from "./change.ts";
import type { Commanded } from "./command.ts";
import { failureErrors } from "./failures.ts";
import type { Store } from "./store.ts";
import { type RowFailure, type Scope, waitApplied } from "./wait.ts";

/** A command that the agent has taken, and what of it could not be had. */
export interface Settled {
  readonly result: Commanded;
  readonly failures: readonly RowFailure[];
}

/** Milliseconds that the agent may take to take back what has failed. */
const WITHDRAWAL_LIMIT = 30_000;

/**
 * Carries a command out: one that failed when it was applied is withdrawn, and leaves nothing behind.
 *
 * @param settle writes the command and waits for the agent's word
 * @param options.died rejects when there is no agent any more to wait for
 * @param options.withdrawal how it is withdrawn
 * @returns whether anything was changed
 * @throws YardError, YardErrors what kept it from being made so
 */
export async function carryOut(
  store: Store,
  settle: () => Promise<Settled>,
  { died, withdrawal, ...scope }: Scope & { readonly died: Promise<never>; readonly withdrawal?: ChangeOptions },
): Promise<boolean> {
  const { result, failures } = await settle();
  const error = failureErrors(failures);
  if (error === undefined) return result.changed;
  const withdrawn = await result.withdraw?.(withdrawal);
  if (withdrawn !== undefined)
    await Promise.race([waitApplied(store, withdrawn.cfg, { ...scope, timeout: WITHDRAWAL_LIMIT }), died]);
  throw error;
}
