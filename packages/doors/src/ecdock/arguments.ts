/** `ec`'s command line. Options stand before what they are for: what follows an image is the container's. */
import { YardError } from "@switchyard/base";
import type { Settings } from "./settings.ts";

export type EcCommand =
  | { readonly do: "help" }
  | { readonly do: "install" }
  | { readonly do: "get-test-images" }
  | {
      readonly do: "create-vswitch";
      readonly name: string;
      readonly address: string;
      readonly device: string | undefined;
    }
  | { readonly do: "delete-vswitch"; readonly name: string }
  | {
      readonly do: "start" | "restart";
      readonly slot: number | undefined;
      readonly image: string;
      readonly parameters: readonly string[];
    }
  | { readonly do: "attach" | "stop"; readonly slot: number }
  | { readonly do: "cleanup" };

export interface EcOptions {
  readonly quiet: boolean;
  readonly vswitch: string;
  readonly usermode: boolean;
  readonly internal: boolean;
  readonly dualNic: boolean;
  readonly noRm: boolean;
  /** The vswitches of eth1 to eth3, by number; eth0's is `vswitch`. */
  readonly more: ReadonlyMap<number, string>;
}

const FLAGS = ["install", "quiet", "no-rm", "internal", "usermode", "dual-nic", "help"];
const VALUED = ["slot", "vswitch", "eth0", "eth1", "eth2", "eth3"];

/** @throws YardError `ec.wrong-usage`, `ec.bad-slot` */
export function parseArguments(
  argv: readonly string[],
  settings: Settings,
): { readonly command: EcCommand; readonly options: EcOptions } {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const words: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--" || isComplete(words, values)) {
      words.push(...argv.slice(word === "--" ? at + 1 : at));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      words.push(word);
      continue;
    }
    const [, name = "", value] = /^--([a-z0-3-]+)(?:=(.*))?$/s.exec(word) ?? short(word);
    if (FLAGS.includes(name) && value === undefined) flags.add(name);
    else if (VALUED.includes(name)) {
      const given = value ?? argv[++at];
      if (given === undefined || given === "") throw wrong(`--${name} needs a value`);
      values.set(name, given);
    } else throw wrong(`there is no option ${word}`);
  }
  const vswitch = values.get("eth0") ?? values.get("vswitch") ?? settings.vswitch;
  const more = [1, 2, 3].flatMap((n) => {
    const name = values.get(`eth${n}`);
    return name === undefined ? [] : [[n, name] as const];
  });
  const options: EcOptions = {
    quiet: flags.has("quiet"),
    vswitch,
    usermode: flags.has("usermode"),
    internal: flags.has("internal"),
    dualNic: flags.has("dual-nic"),
    noRm: flags.has("no-rm"),
    more: new Map(more),
  };
  if (options.dualNic && options.more.has(1)) throw wrong("--dual-nic makes an eth1 of its own, so --eth1= cannot be");
  if (flags.has("help") || (words.length === 0 && !flags.has("install"))) return { command: { do: "help" }, options };
  if (flags.has("install")) return { command: { do: "install" }, options };
  return { command: commandOf(words, values.get("slot") ?? (settings.slot || undefined), options), options };
}

/** Whether the words name an image: all that follows is the container's. */
function isComplete([verb, ...rest]: readonly string[], values: ReadonlyMap<string, string>): boolean {
  if (verb === "start") return rest.length >= 1;
  return verb === "restart" && rest.length >= (values.has("slot") ? 1 : 2);
}

function short(word: string): readonly [string, string, undefined] {
  if (word === "-q") return [word, "quiet", undefined];
  if (word === "-h") return [word, "help", undefined];
  throw wrong(`there is no option ${word}`);
}

function commandOf(
  [verb = "", ...words]: readonly string[],
  slot: string | undefined,
  { vswitch }: EcOptions,
): EcCommand {
  switch (verb) {
    case "start": {
      const [image, ...parameters] = words;
      if (image === undefined) throw wrong("start needs an image");
      return { do: verb, slot: slot === undefined ? undefined : slotOf(slot), image, parameters };
    }
    case "restart": {
      const [first, ...others] = slot === undefined ? words : [slot, ...words];
      const [image, ...parameters] = others;
      if (first === undefined || image === undefined) throw wrong("restart needs a slot and an image");
      return { do: verb, slot: slotOf(first), image, parameters };
    }
    case "attach":
    case "stop": {
      const which = words[0] ?? slot;
      if (which === undefined || words.length > 1) throw wrong(`${verb} needs a slot`);
      return { do: verb, slot: slotOf(which) };
    }
    case "create-vswitch": {
      const [first = "", ...others] = words;
      const [name, address, device, ...excess] = first.includes("/") ? [vswitch, first, ...others] : [first, ...others];
      if (name === undefined || address === undefined || excess.length > 0)
        throw wrong("create-vswitch needs an address with its mask, such as 10.0.0.254/24");
      return { do: verb, name, address, device };
    }
    case "delete-vswitch":
      return { do: verb, name: words[0] ?? vswitch };
    case "cleanup":
    case "get-test-images":
      return { do: verb };
    default:
      throw wrong(`there is no command ${verb}`);
  }
}

function slotOf(text: string): number {
  const slot = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (slot < 1 || slot > 127) throw new YardError("ec.bad-slot", `"${text}" is no slot: they are numbered 1 to 127`);
  return slot;
}

function wrong(message: string): YardError {
  return new YardError("ec.wrong-usage", message, { hint: "ec -h shows what it takes" });
}
