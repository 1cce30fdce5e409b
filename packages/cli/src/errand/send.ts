import { connectAgent } from "@switchyard/yard/client";
import { yardPaths } from "@switchyard/yard/paths";
import { Interrupted, type Session } from "../session.ts";
import { verbOf } from "../verbs.ts";
import { begunSchema, ERRANDS, type Errand, type ErrandSignal, endSchema, KEPT } from "./words.ts";

/**
 * Has the agent of a yard run a command line that needs root, with our streams; its exit code becomes ours.
 *
 * @returns false where that is none of the agent's errands, or no agent of this build runs that we may ask
 * @throws YardError `agent.died`, `errand.refused`
 */
export async function sendErrand(session: Session, yard: string, argv: readonly string[]): Promise<boolean> {
  const verb = verbOf(argv);
  if (verb === undefined || !ERRANDS.has(verb) || (verb === "check" && argv.some((word) => word.startsWith("--junit"))))
    return false;
  await using agent = await connectAgent(yardPaths(yard, session.env)).catch(() => undefined);
  if (agent === undefined) return false;
  session.signal.throwIfAborted();
  let id: number | undefined;
  const pending: ErrandSignal[] = [];
  const pass = (signal: ErrandSignal) => {
    if (id === undefined) pending.push(signal);
    // What it comes to is told by the command's end.
    else agent.request("errand-signal", { id, signal }).catch(() => {});
  };
  const resized = () => pass("SIGWINCH");
  const interrupted = () => {
    const { reason } = session.signal;
    if (reason instanceof Interrupted) pass(reason.signal);
  };
  process.on("SIGWINCH", resized);
  session.signal.addEventListener("abort", interrupted, { once: true });
  try {
    const ended = await agent.request("errand", errandOf(session, argv), (progress) => {
      ({ id } = begunSchema.parse(progress));
      for (const signal of pending.splice(0)) pass(signal);
    });
    session.exitCode = endSchema.parse(ended).code;
    return true;
  } finally {
    process.off("SIGWINCH", resized);
    session.signal.removeEventListener("abort", interrupted);
  }
}

function errandOf(session: Session, argv: readonly string[]): Errand {
  const kept = Object.entries(session.env).flatMap(([name, value]) =>
    KEPT.test(name) && value !== undefined ? [[name, value]] : [],
  );
  return { argv: [...argv], pid: process.pid, cwd: session.cwd, environment: Object.fromEntries(kept) };
}
