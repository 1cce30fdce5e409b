import { runPlugin } from "@switchyard/doors/ovs";
import { type Session, say } from "../session.ts";

/** This executable called as `ovs-plugin`: `<path> <export> '<json>'`, answered in a frame. */
export async function runOvsPlugin(session: Session, argv: readonly string[]): Promise<void> {
  const { env, signal } = session;
  const { output, exitCode } = await runPlugin(argv, { env, signal, warn: (line) => say(session, line) });
  session.streams.stdout.write(output);
  session.exitCode = exitCode;
}
