import { hostname } from "node:os";
import { keepAgent } from "@switchyard/yard/agent";
import {
  type Changes,
  changesBetween,
  declarationOf,
  type Outcome,
  type RowFailure,
  type Scope,
  type Store,
  waitApplied,
} from "@switchyard/yard/store";
import { openYard } from "./connect.ts";
import { createProgress } from "./render/progress.ts";
import { selfCommand } from "./self.ts";
import { Interrupted, type Session } from "./session.ts";

/** A yard whose agent runs, with its database open. */
export interface LiveYard extends AsyncDisposable {
  readonly yard: string;
  readonly store: Store;
  /** The name of this host in the database. */
  readonly host: string;
  /** Rejects with `agent.died` when the agent ends, and with what keeps it from going on and from writing so. */
  readonly died: Promise<never>;
}

/** Starts the yard's agent where none runs, and opens the database. */
export async function openLiveYard(session: Session, yard: string): Promise<LiveYard> {
  await using stack = new AsyncDisposableStack();
  const { signal } = session;
  const { died } = stack.use(await interruptible(signal, keepAgent(yard, { executable: selfCommand(), signal })));
  const store = stack.use(await interruptible(signal, openYard(session, yard)));
  const open = stack.move();
  return { yard, store, host: hostname(), died, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** What came of a change that the agent has taken. */
export interface Converged<Result> {
  readonly result: Result;
  readonly changes: Changes;
  readonly failures: readonly RowFailure[];
}

/**
 * Writes a change and waits until the agent has made it so, with progress on the terminal.
 *
 * @throws Interrupted at Ctrl-C: what is written stays so; YardError `agent.died` and those of the change
 */
export async function converge<Result extends { readonly cfg: number }>(
  session: Session,
  live: LiveYard,
  title: string,
  write: () => Promise<Result>,
  scope: Scope = {},
): Promise<Converged<Result>> {
  const before = declarationOf(live.store.db);
  const result = await interruptible(session.signal, write());
  const changes = changesBetween(before, declarationOf(live.store.db));
  const { failures } = await waitWithProgress(session, live, title, result.cfg, scope);
  return { result, changes, failures };
}

async function waitWithProgress(
  session: Session,
  live: LiveYard,
  title: string,
  cfg: number,
  scope: Scope,
): Promise<Outcome> {
  using progress = createProgress(session.streams.stderr, title, session.errorStyle);
  const applied = waitApplied(live.store, cfg, {
    ...scope,
    signal: session.signal,
    onProgress: ({ done, total }) => progress.show({ done, total, text: "nodes" }),
  });
  return await interruptible(session.signal, Promise.race([applied, live.died]));
}

/** A wait that ends with {@link Interrupted} at Ctrl-C, whatever error the room below makes of the abort. */
async function interruptible<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted && signal.reason instanceof Interrupted) throw signal.reason;
    throw error;
  }
}
