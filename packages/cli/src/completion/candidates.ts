import { SETTINGS } from "@switchyard/yard/impair";
import type { Command, Option } from "commander";

/** What a shell may put in place of the word that is being typed. */
export interface Candidate {
  readonly value: string;
  readonly meaning: string;
}

/** What completion knows of the yard; each is asked for only when needed. */
export interface Known {
  nodes(): Promise<readonly string[]>;
  /** `node:nic` */
  nics(): Promise<readonly string[]>;
  /** Names of links. */
  links(): Promise<readonly string[]>;
  /** Nodes of kind a2b. */
  passages(): Promise<readonly string[]>;
  networks(): Promise<readonly string[]>;
  /** Of the kernel's own. */
  bridges(): Promise<readonly string[]>;
  labs(): Promise<readonly string[]>;
  yards(): Promise<readonly string[]>;
}

/** Candidates, and whether names of files are ones too. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly files: boolean;
}

const none: Completion = { candidates: [], files: false };
const anyFile: Completion = { candidates: [], files: true };

/**
 * Completes the last of `words`, the words after `yard` as far as the cursor.
 *
 * @param program with the verb that is called loaded
 */
export async function complete(program: Command, words: readonly string[], known: Known): Promise<Completion> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  let command = program;
  const operands: string[] = [];
  let pending: Option | undefined;
  let literal = false;
  for (const word of before) {
    if (pending !== undefined) pending = undefined;
    else if (literal) operands.push(word);
    else if (word === "--") literal = true;
    else if (word.startsWith("-")) pending = awaited(command, word);
    else {
      const below = command.commands.find((candidate) => candidate.name() === word);
      if (below !== undefined && operands.length === 0) command = below;
      else operands.push(word);
    }
  }
  if (pending !== undefined) return filtered(await optionValues(pending, known), current);
  if (!literal && current.startsWith("-")) return filtered({ candidates: optionsOf(command), files: false }, current);
  if (command.commands.length > 0)
    return operands.length > 0 ? none : filtered({ candidates: verbsOf(command), files: false }, current);
  return filtered(await argumentValues(command, operands.length, known), current);
}

/** The option of a word that takes its value from the next one. */
function awaited(command: Command, word: string): Option | undefined {
  const name = word.startsWith("--") ? word : `-${word.at(-1)}`;
  const option = command.options.find(({ long, short }) => long === name || short === name);
  return option !== undefined && (option.required || option.optional) && !word.includes("=") ? option : undefined;
}

function optionsOf(command: Command): Candidate[] {
  return command.options
    .filter(({ hidden }) => !hidden)
    .map(({ long, short, description }) => ({ value: long ?? short ?? "", meaning: description }));
}

function verbsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((verb) => ({ value: verb.name(), meaning: verb.summary() }));
}

async function optionValues(option: Option, known: Known): Promise<Completion> {
  if (option.argChoices !== undefined) return listed(option.argChoices, "");
  switch (option.long) {
    case "--yard":
    case "--to-yard":
      return listed(await known.yards(), "yard");
    case "--lab":
      return listed(await known.labs(), "lab");
    case "--network":
      return listed(await known.networks(), "network");
    case "--junit":
    case "--write":
    case "--rootfs":
    case "--bind":
    case "--image":
    case "--disk":
    case "--iso":
    case "--kernel":
    case "--initrd":
    case "--user-data":
    case "--key":
    case "--result":
      return anyFile;
    default:
      return none;
  }
}

/** What the arguments of the verbs are, by their names in the help. */
async function argumentValues(command: Command, index: number, known: Known): Promise<Completion> {
  const arguments_ = command.registeredArguments;
  const argument = arguments_[index] ?? (arguments_.at(-1)?.variadic ? arguments_.at(-1) : undefined);
  if (argument === undefined) return none;
  if (argument.argChoices !== undefined) return listed(argument.argChoices, "");
  switch (argument.name()) {
    case "node":
    case "a":
    case "b":
      return listed(await known.nodes(), "node");
    case "nic":
      return listed(await known.nics(), "nic");
    case "network":
      return listed(await known.networks(), "network");
    case "bridge":
      return listed(await known.bridges(), "bridge");
    case "impaired": {
      const [nics, links, passages] = await Promise.all([known.nics(), known.links(), known.passages()]);
      const all = [listed(nics, "nic"), listed(links, "link"), listed(passages, "a2b")];
      return { candidates: all.flatMap(({ candidates }) => candidates), files: false };
    }
    case "setting":
      return listed([...SETTINGS.map((setting) => `${setting}=`), "off"], "");
    case "file":
      return anyFile;
    case "source":
    case "destination":
      return { candidates: (await known.nodes()).map((name) => ({ value: `${name}:`, meaning: "node" })), files: true };
    case "name": {
      if (command.name() !== "rm") return none;
      const [nodes, networks] = await Promise.all([known.nodes(), known.networks()]);
      return {
        candidates: [...listed(nodes, "node").candidates, ...listed(networks, "network").candidates],
        files: false,
      };
    }
    default:
      return none;
  }
}

function listed(values: readonly string[], meaning: string): Completion {
  return { candidates: values.map((value) => ({ value, meaning })), files: false };
}

function filtered({ candidates, files }: Completion, current: string): Completion {
  return { candidates: candidates.filter(({ value }) => value.startsWith(current)), files };
}
