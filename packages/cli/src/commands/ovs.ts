import { text } from "node:stream/consumers";
import { YardError } from "@switchyard/base";
import { callOvs, type OvsCommand, ovsCommands, yardPlace } from "@switchyard/doors/ovs";
import { SYSTEM_YARD } from "@switchyard/yard/paths";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { type Form, forms, type Options } from "../ovs/forms.ts";
import { renderAnswer } from "../ovs/render.ts";
import { subcommand } from "../program.ts";
import { selfCommand } from "../self.ts";
import { type CommonOptions, print, printJson, type Session, say, yardName } from "../session.ts";

/** `yard ovs bridge-add|bridge-del|port-add|… …` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Open vSwitch by single commands, as zero-os's ovs plugin has them: on the switch of a yard, or with\n" +
        "--system on the host's own. Each is done when the switch has taken it, or leaves nothing behind.\n" +
        "Arguments are words and options, or one JSON object (- reads it from standard input).",
    )
    .argument("[command]", "one of the commands below")
    .action((word: string | undefined) => {
      throw new YardError("usage.wrong", word === undefined ? "no command is given" : `there is no command "${word}"`, {
        hint: `there are ${ovsCommands.map(({ name }) => name).join(", ")}`,
      });
    });
  for (const one of ovsCommands) {
    const form = forms[one.name];
    if (form === undefined) throw new Error(`the command ${one.name} has no plain form`);
    defineOne(subcommand(command, one.name, one.summary, session), session, one, form);
  }
  examples(
    command,
    ["yard ovs bridge-add backplane", "a bridge on the switch of the yard main"],
    ["yard --system ovs port-add backplane eth0 --vlan 10", "a port on the host's own switch"],
    ['yard ovs vlan-ensure \'{"master": "backplane", "vlan": 10}\'', "a bridge for one VLAN; prints vlbr10"],
    ["yard ovs show", "what there is"],
  );
}

function defineOne(command: Command, session: Session, one: OvsCommand, form: Form): void {
  const dashed = [one.name, `ovs.${one.name}`];
  const spellings = dashed.flatMap((name) => [name, name.replaceAll("-", "_")]);
  for (const spelling of new Set(spellings)) if (spelling !== one.name) command.alias(spelling);
  command.argument("[words...]", `${form.usage}, or JSON`).usage(`${form.usage} [options]`);
  form.options?.(command);
  command.option("--json", JSON_HELP).action(async (words: readonly string[], options: Options & CommonOptions) => {
    const input = await inputOf(session, one, form, words, options);
    const { env, signal } = session;
    const yard = yardName(command, env);
    const warn = (line: string) => say(session, `note: ${line}`);
    const start = yard === SYSTEM_YARD ? undefined : () => startYard(yard, signal);
    const answer = await callOvs(yardPlace(yard, env), one.name, input, { signal, warn, ...(start ? { start } : {}) });
    if (options.json) printJson(session, answer);
    else print(session, ...renderAnswer(one.name, answer, session.style));
  });
  examples(command, ...form.examples);
}

/** What a yard's agent needs is loaded only where none runs. */
async function startYard(yard: string, signal: AbortSignal): Promise<void> {
  const { ensureAgent } = await import("@switchyard/yard/agent");
  await using _agent = await ensureAgent(yard, { executable: selfCommand(), signal });
}

async function inputOf(
  session: Session,
  { name }: OvsCommand,
  form: Form,
  words: readonly string[],
  options: Options,
): Promise<unknown> {
  const [first = "", ...more] = words;
  if (more.length > 0 || !(first === "-" || first.trimStart().startsWith("{"))) return form.read(words, options);
  const json = first === "-" ? await text(session.streams.stdin) : first;
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new YardError("usage.wrong", `${name}: its argument is not JSON`, {
      cause,
      hint: 'quote it for the shell: \'{"bridge": "backplane"}\'',
    });
  }
}
