import { readFileSync, writeSync } from "node:fs";
import { type PluginType, runPlugin } from "@switchyard/doors/cni";

/** This executable called by a container runtime as a CNI plugin. It ends the process. */
export async function runCniPlugin(type: PluginType): Promise<never> {
  const interruption = new AbortController();
  // A runtime that gives up gets all undone.
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.once(name, () => interruption.abort(new Error(`interrupted by ${name}`)));
  const { output, exitCode } = await runPlugin({
    type,
    env: process.env,
    signal: interruption.signal,
    input: async () => readFileSync(0, "utf8"),
    warn: (line) => void writeSync(2, `${line}\n`),
  });
  writeSync(1, output);
  process.exit(exitCode);
}
