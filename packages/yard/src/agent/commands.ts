import { PassThrough, Writable } from "node:stream";
import { YardError } from "@switchyard/base";
import { type ContainerEngine, execInNamespace } from "@switchyard/runtime";
import type { ExecState } from "./state.ts";

/** How much of a command's output its error quotes, in bytes. */
const QUOTED = 2_000;

/**
 * Runs the commands of a node in order until one fails.
 *
 * @param container its engine and its name there; undefined: the node is a bare namespace
 * @throws YardError `node.exec-failed` with the end of what the command printed
 */
export async function runCommands(
  state: ExecState,
  container: { readonly engine: ContainerEngine; readonly name: string } | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (const command of state.commands) {
    let tail = "";
    const sink = () =>
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          tail = (tail + chunk.toString("utf8")).slice(-QUOTED);
          done();
        },
      });
    const streams = { stdin: new PassThrough().end(), stdout: sink(), stderr: sink() };
    const options = { command, tty: false, env: state.env, signal };
    const code = container
      ? await container.engine.exec(container.name, options, streams)
      : await execInNamespace(state.namespace, options, streams);
    if (code !== 0)
      throw new YardError("node.exec-failed", `the command "${command.join(" ")}" ended with exit code ${code}`, {
        ...(tail.trim() === "" ? {} : { hint: `it printed: ${tail.trim()}` }),
      });
  }
}
