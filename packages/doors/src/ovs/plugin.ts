/** The door for corex: an executable that is called with a command and JSON, and answers in a frame. */
import { asYardError, YardError } from "@switchyard/base";
import { callOvs } from "./commands.ts";
import { systemPlace } from "./place.ts";

/** The level of a message that holds JSON as a job's result. */
const RESULT = 20;

/** `20:::` JSON, and `:::` on a line of its own. */
export function frame(value: unknown): string {
  return `${RESULT}:::${JSON.stringify(value ?? null)}\n:::\n`;
}

/**
 * `<path> <export> '<json>'`: runs the command on the Open vSwitch of this container or host.
 *
 * @returns what goes to standard output, and the exit code: 1 with the error's words as the answer
 */
export async function runPlugin(
  argv: readonly string[],
  options: { readonly warn: (line: string) => void; readonly signal?: AbortSignal; readonly env?: NodeJS.ProcessEnv },
): Promise<{ readonly output: string; readonly exitCode: number }> {
  const { env, ...context } = options;
  try {
    const [name, json, ...more] = argv;
    if (name === undefined) throw new YardError("ovs.unknown-command", "missing command");
    if (more.length > 0) throw new YardError("ovs.bad-argument", `${name}: one argument is expected, JSON`);
    return { output: frame(await callOvs(systemPlace(env), name, parse(name, json), context)), exitCode: 0 };
  } catch (thrown) {
    const { message, hint, code } = asYardError(thrown);
    context.warn(`${message} [${code}]${hint === undefined ? "" : `: ${hint}`}`);
    return { output: frame(hint === undefined ? message : `${message} (${hint})`), exitCode: 1 };
  }
}

function parse(name: string, json: string | undefined): unknown {
  if (json === undefined || json === "") return {};
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new YardError("ovs.bad-argument", `${name}: its argument is not JSON`, { cause });
  }
}
