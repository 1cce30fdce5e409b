/** The grammar of `cloonix_cli NET …`. */
import { parseItem } from "./add.ts";
import { type CloonixCommand, ITEMS } from "./command.ts";
import { A2B_SETTINGS } from "./settings.ts";
import { Words } from "./words.ts";

const VERBS = [
  ...["add", "del", "kil", "rma", "dmp", "dcf", "lst", "lay", "snf", "sav", "cnf"],
  ...["sub", "evt", "sys", "pid", "hop"],
] as const;

/**
 * Reads what follows the net's name.
 *
 * @param cwd where the caller stands
 * @throws YardError `cloonix.bad-word`, `cloonix.left-out`, `cloonix.bad-net`
 */
export function parseCommand(argv: readonly string[], cwd: string): CloonixCommand {
  const [verb = "", ...more] = argv;
  const words = new Words(more, `cloonix_cli … ${[verb, more[0] ?? ""].join(" ").trim()}`);
  const alone = (command: CloonixCommand) => {
    words.end();
    return command;
  };
  switch (verb) {
    case "add":
      return parseAdd(words, cwd);
    case "del":
      return parseDelete(words);
    case "snf": {
      const place = { item: words.take("<item>"), num: words.number("<num>") };
      const on = words.oneOf(["0", "1"], "0 or 1") === "1";
      return alone({ do: "spy", ...place, on });
    }
    case "cnf":
      return parseConfigure(words);
    case "sav": {
      const name = words.take("<vm>");
      return alone({ do: "yard", argv: ["save", name, words.take("<file>")], ok: `OK ${name}` });
    }
    case "kil":
      return alone({ do: "yard", argv: ["down", "--all"], ok: "OK" });
    case "rma":
      return alone({ do: "delete-all" });
    case "lst":
      return alone({ do: "list" });
    case "dmp":
      return alone({ do: "dump" });
    case "dcf":
      return alone({ do: "config" });
    case "sub":
      return parseCounters(words);
    case "pid":
      return alone({ do: "yard", argv: ["ps"] });
    case "lay":
      throw words.leftOut("the layout of a canvas", "`lst` holds all that the net is");
    case "evt":
    case "sys":
    case "hop":
      throw words.leftOut(verb, "`yard ps` and `yard inspect` tell what there is; the agent's log is in agent.log");
    default:
      throw words.wrong(verb === "" ? "there is no command" : `"${verb}" is not one of ${VERBS.join(", ")}`);
  }
}

function parseAdd(words: Words, cwd: string): CloonixCommand {
  const what = words.oneOf([...ITEMS, "lan"], "what to add");
  if (what !== "lan") return { do: "add", ...parseItem(what, words, cwd) };
  return { do: "plug", ...parseAttachment(words) };
}

function parseDelete(words: Words): CloonixCommand {
  const what = words.oneOf(["lan", "sat", ...ITEMS], "what to delete");
  if (what === "lan") return { do: "unplug", ...parseAttachment(words) };
  const name = words.take("<name>");
  words.end();
  return { do: "delete", name, item: what === "sat" ? undefined : what };
}

function parseAttachment(words: Words) {
  const attachment = { item: words.take("<item>"), num: words.number("<num>"), lan: words.take("<lan>") };
  words.end();
  return attachment;
}

function parseConfigure(words: Words): CloonixCommand {
  const what = words.oneOf(["kvm", "cnt", "lan", "nat", "a2b", "c2c", "lay", "web", "fix"], "what to configure");
  switch (what) {
    case "a2b": {
      const name = words.take("<name>");
      const rest = words.rest();
      // As one word, quoted, or as several.
      return rest.length === 0 ? { do: "impairment", name } : parseImpair(name, rest.join(" "), words);
    }
    case "nat": {
      const nat = words.take("<nat>");
      const [, node] = /^whatip=(.+)$/.exec(words.take("whatip=<vm>")) ?? [];
      if (node === undefined) throw words.wrong("whatip=<vm> is all that can be asked of a nat");
      words.end();
      return { do: "lease", nat, node };
    }
    case "kvm": {
      if (words.oneOf(["reboot", "color"], "reboot") === "color") break;
      const name = words.take("<vm>");
      words.end();
      return { do: "yard", argv: ["vm", "reset", name], ok: `OK ${name}` };
    }
    case "lan": {
      const lan = words.take("<lan>");
      words.oneOf(["rstp"], "rstp");
      const [on = "1", more] = words.rest();
      if ((on !== "0" && on !== "1") || more !== undefined) throw words.wrong(`"${more ?? on}" is neither 0 nor 1`);
      return { do: "rstp", lan, on: on === "1" };
    }
    case "c2c":
      throw words.leftOut("mac_mangle", "a nic has the MAC that --mac_addr= gives it");
    case "cnt":
    case "lay":
    case "web":
    case "fix":
      break;
  }
  throw words.leftOut(`${what}, which is the canvas's,`, "`yard ps` and `yard inspect` show the net");
}

/** `dir=0 cmd=loss val=500` */
function parseImpair(name: string, text: string, words: Words): CloonixCommand {
  const given = new Map<string, string>();
  for (const word of text.split(/[ ,]+/).filter((it) => it !== "")) {
    const at = word.indexOf("=");
    if (at < 0 && /^(un)?replace_ip/.test(word)) throw words.leftOut(word, "nftables in a node between the two lans");
    if (at < 1) throw words.wrong(`"${word}" is not of the form name=value`);
    given.set(word.slice(0, at), word.slice(at + 1));
  }
  const need = (key: string) => {
    const value = given.get(key);
    given.delete(key);
    if (value === undefined) throw words.wrong(`${key}= is missing: write "dir=0 cmd=delay val=10"`);
    return value;
  };
  const [dir, cmd, val] = [need("dir"), need("cmd"), need("val")];
  const [other] = given.keys();
  if (other !== undefined) throw words.wrong(`"${other}" is not one of dir, cmd, val`);
  if (dir !== "0" && dir !== "1") throw words.wrong(`dir=${dir} is neither 0, from the first side, nor 1`);
  if (cmd === "bsize" || cmd === "silentms") throw words.leftOut(cmd, "rate and qsize shape what passes");
  const setting = A2B_SETTINGS.find((it) => it.cmd === cmd);
  if (setting === undefined)
    throw words.wrong(`cmd=${cmd} is not one of ${A2B_SETTINGS.map((it) => it.cmd).join(", ")}`);
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(val)) throw words.wrong(`val=${val} is no number`);
  return {
    do: "impair",
    name,
    dir: dir === "0" ? 0 : 1,
    setting: setting.setting,
    value: setting.written(Number(val)),
  };
}

function parseCounters(words: Words): CloonixCommand {
  const what = words.oneOf(["endp", "sys"], "endp or sys");
  const name = words.take("<name>");
  if (what === "endp") {
    words.number("<num>");
    words.end();
    return { do: "yard", argv: ["inspect", name] };
  }
  words.end();
  return { do: "yard", argv: ["exec", name, "--", "sh", "-c", "cat /proc/uptime /proc/loadavg /proc/meminfo; df"] };
}
