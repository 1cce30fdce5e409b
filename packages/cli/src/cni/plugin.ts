/**
 * This executable called by a container runtime as a CNI plugin. What a call needs is loaded when it is known to be
 * needed: mostly the agent does it, and nothing is.
 */
import { readFileSync, writeSync } from "node:fs";
import type { PluginAnswer, PluginType } from "@switchyard/doors/cni";
import { agentSocketFor, askAgent } from "@switchyard/doors/cni/ask";
import { versionReport } from "@switchyard/doors/cni/version-report";

/** It ends the process. */
export async function runCniPlugin(type: PluginType): Promise<never> {
  const { env } = process;
  if (env.CNI_COMMAND === "VERSION") return finish({ output: versionReport(readInput()), exitCode: 0 });
  if ((env.CNI_COMMAND ?? "") === "") return finish(await inProcess(type, ""));
  let input: string;
  try {
    input = readInput();
  } catch {
    return finish(await inProcess(type, undefined));
  }
  const asked = await askAgent(agentSocketFor(input, env), { type, env, input }, warn);
  if (asked === "unserved") return finish(await inProcess(type, input));
  if (asked === "died") return finish(await again(type, input));
  return finish(asked);
}

function readInput(): string {
  return readFileSync(0, "utf8");
}

function warn(line: string): void {
  writeSync(2, `${line}\n`);
}

function finish({ output, exitCode }: PluginAnswer): never {
  writeSync(1, output);
  process.exit(exitCode);
}

/** @param input undefined: it cannot be read */
async function inProcess(type: PluginType, input: string | undefined, command?: string): Promise<PluginAnswer> {
  const interruption = new AbortController();
  // A runtime that gives up gets all undone.
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.once(name, () => interruption.abort(new Error(`interrupted by ${name}`)));
  const { runPlugin } = await import("@switchyard/doors/cni");
  return runPlugin({
    type,
    env: command === undefined ? process.env : { ...process.env, CNI_COMMAND: command },
    signal: interruption.signal,
    input: async () => input ?? readInput(),
    warn,
  });
}

/** The agent ended in the middle of a call, and nobody knows how far it was. */
async function again(type: PluginType, input: string): Promise<PluginAnswer> {
  if (process.env.CNI_COMMAND !== "ADD") return inProcess(type, input);
  let answer: PluginAnswer | undefined;
  // Twice: an IPAM plugin that the agent had started may have given an address after the first was taken back.
  for (let tries = 0; tries < 2 && answer?.exitCode !== 0; tries++) {
    await inProcess(type, input, "DEL");
    answer = await inProcess(type, input);
  }
  return answer ?? inProcess(type, input);
}
