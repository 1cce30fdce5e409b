/**
 * The quick way to change and read a yard: asking its running agent, which has the yard's content in memory. Where no
 * agent runs, or another version's does, the slow way (converge.ts, view/open.ts) goes through the database itself.
 */
import { delay, YardError } from "@switchyard/base";
import type { AgentClient } from "@switchyard/yard/client";
import type { Changes } from "@switchyard/yard/store";
import { createProgress } from "./render/progress.ts";
import { Interrupted, type Session } from "./session.ts";

/** Milliseconds in which the agent can still say, at Ctrl-C, whether it has written what it was asked to. */
const LAST_WORD = 2_000;

/** What came of a change. */
export interface Applied<Reply> {
  readonly reply: Reply;
  readonly failures: Awaited<ReturnType<AgentClient["settled"]>>["failures"];
}

/**
 * Has the agent make a change, and waits until it is applied, with progress on the terminal.
 *
 * @param labsOf the labs that a change concerns, by the reply to it: called once it is written
 * @returns undefined when the agent died under it: all of this may be repeated
 * @throws Interrupted at Ctrl-C: what is written stays so; what the change was refused with
 */
export async function applyThrough<Reply extends { readonly cfg: number; readonly changes: Changes }>(
  session: Session,
  agent: AgentClient,
  title: string,
  change: () => Promise<Reply>,
  labsOf: (reply: Reply) => readonly string[],
): Promise<Applied<Reply> | undefined> {
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const interrupt = () => reject(session.signal.reason);
  session.signal.addEventListener("abort", interrupt, { once: true });
  interrupted.catch(() => {});
  agent.stuck.then(reject);
  try {
    const written = change().then((reply) => ({ reply, labs: labsOf(reply) }));
    const { reply, labs } = await Promise.race([written, interrupted]).catch(async (error) => {
      // It is one transaction, which cannot be called back.
      await Promise.race([written, delay(LAST_WORD)]).catch(() => {});
      throw error;
    });
    using progress = createProgress(session.streams.stderr, title, session.errorStyle);
    const settled = agent.settled(reply.cfg, labs, ({ done, total }) => progress.show({ done, total, text: "nodes" }));
    const { failures } = await Promise.race([settled, interrupted]);
    return { reply, failures };
  } catch (error) {
    if (session.signal.aborted && session.signal.reason instanceof Interrupted) throw session.signal.reason;
    if (error instanceof YardError && error.code === "agent.died") return undefined;
    throw error;
  } finally {
    session.signal.removeEventListener("abort", interrupt);
  }
}
