import { YardError } from "@switchyard/base";
import { ensureAgent, type LaunchOptions } from "./launch.ts";

/** An agent that is there, for as long as it is needed. */
export interface Presence extends AsyncDisposable {
  /** Rejects with `agent.died` when there is none any more, and with what keeps it from going on and from writing so. */
  readonly died: Promise<never>;
}

/**
 * Starts the yard's agent where none runs, and again when it dies.
 *
 * @throws as {@link ensureAgent}
 */
export async function keepAgent(yard: string, options: LaunchOptions): Promise<Presence> {
  const agent = await ensureAgent(yard, options);
  const { promise: died, reject } = Promise.withResolvers<never>();
  // Nobody may be waiting at the moment that it dies.
  died.catch(() => {});
  void agent.stuck.then(reject);
  void agent.died.then(() =>
    reject(
      new YardError("agent.died", `the agent of yard "${yard}" ended while it was waited for`, {
        hint: `run it in the foreground to see why: sudo yard -y ${yard} agent`,
      }),
    ),
  );
  return { died, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}
