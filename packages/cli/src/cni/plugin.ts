import { text } from "node:stream/consumers";
import { type PluginType, runPlugin } from "@switchyard/doors/cni";
import type { Session } from "../session.ts";

/** This executable called by a container runtime as a CNI plugin. */
export async function runCniPlugin(session: Session, type: PluginType): Promise<void> {
  const { env, signal, streams } = session;
  const { output, exitCode } = await runPlugin({
    type,
    env,
    signal,
    input: () => text(streams.stdin),
    warn: (line) => void streams.stderr.write(`${line}\n`),
  });
  streams.stdout.write(output);
  session.exitCode = exitCode;
}
