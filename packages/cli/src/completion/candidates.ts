import { SETTINGS } from "@switchyard/yard/impair";
import type { ContainerRuntime, NetworkType, PullPolicy } from "@switchyard/yard/model";
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
  /** Of the yard's switch. */
  switchBridges(): Promise<readonly string[]>;
  labs(): Promise<readonly string[]>;
  yards(): Promise<readonly string[]>;
}

/** Candidates, and whether names of files are ones too. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly files: boolean;
}

const RUNTIMES: readonly ContainerRuntime[] = ["docker", "podman", "oci"];
const PULLS: readonly PullPolicy[] = ["missing", "always", "never"];
const IMPLIED: readonly NetworkType[] = ["bridge", "vlan", "vxlan", "macvlan", "passthrough", "zerotier"];

/** Values of options that the model checks, with better errors than a list of choices would give. */
const WORDS = new Map<string, readonly string[]>([
  ["container --runtime", RUNTIMES],
  ["container --pull", PULLS],
  ["vm --format", ["qcow2", "raw"]],
  ["network --type", ["lan", "nat", ...IMPLIED]],
  ["add --type", ["default", ...IMPLIED]],
  ["create --mode", ["none", "static", "dnsmasq"]],
  ["bond-add --mode", ["active-backup", "balance-slb", "balance-tcp"]],
  ["bridge-add --datapath", ["system", "netdev"]],
]);

/** Tables of Open vSwitch that people ask for; its other ones are taken too. */
const TABLES = ["Open_vSwitch", "Bridge", "Port", "Interface", "Mirror", "QoS", "Queue", "Controller", "Manager"];

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
  if (pending !== undefined) return filtered(await optionValues(command, pending, known), current);
  if (!literal && current.startsWith("-")) return filtered({ candidates: optionsOf(command), files: false }, current);
  if (command === program && operands[0] === "help" && operands.length === 1)
    return filtered({ candidates: verbsOf(program), files: false }, current);
  if (command.commands.length > 0)
    return operands.length > 0 ? none : filtered({ candidates: verbsOf(command), files: false }, current);
  return filtered(await argumentValues(command, operands, known), current);
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

async function optionValues(command: Command, option: Option, known: Known): Promise<Completion> {
  const words = option.argChoices ?? WORDS.get(`${command.name()} ${option.long}`);
  if (words !== undefined) return listed(words, "");
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
async function argumentValues(command: Command, operands: readonly string[], known: Known): Promise<Completion> {
  const index = operands.length;
  const arguments_ = command.registeredArguments;
  const argument = arguments_[index] ?? (arguments_.at(-1)?.variadic ? arguments_.at(-1) : undefined);
  if (argument === undefined) return none;
  if (argument.argChoices !== undefined) return listed(argument.argChoices, "");
  switch (argument.name()) {
    case "node":
    case "a":
    case "b":
      return listed(await known.nodes(), "node");
    case "nic": {
      const nics = await known.nics();
      if (index === 0) return listed(nics, "nic");
      // The node stands before it, as a word of its own.
      const node = `${operands[0]}:`;
      const its = nics.filter((nic) => nic.startsWith(node)).map((nic) => nic.slice(node.length));
      return listed(its, "nic");
    }
    case "network": {
      const networks = await known.networks();
      return listed(networks.includes("default") ? networks : [...networks, "default"], "network");
    }
    case "words":
      return plainValues(command, index, known);
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

/** Words of the `ovs` commands, which their usage line names. */
async function plainValues(command: Command, index: number, known: Known): Promise<Completion> {
  const [, word] = [...command.usage().matchAll(/[<[](\w+)/g)][index] ?? [];
  switch (word) {
    case "bridge":
    case "master":
      return listed(await known.switchBridges(), "bridge");
    case "table":
      return listed(TABLES, "table");
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
