import { YardError } from "@switchyard/base";
import { LINK_WAYS, NIC_WAYS, SETTINGS, type Setting, UNIMPAIRED, withSetting } from "@switchyard/yard/impair";
import { changedImpair, type ImpairChange, type ImpairSettings } from "@switchyard/yard/impair-change";
import { nearest } from "@switchyard/yard/nearest";
import { type Impaired, setImpair } from "@switchyard/yard/store";
import type { ImpairView, YardView } from "@switchyard/yard/view";
import { findLink, findNic, findNode } from "@switchyard/yard/view";
import { currentView } from "@switchyard/yard/view/store";
import type { Command } from "commander";
import { commit } from "../commanded.ts";
import { openLiveYard } from "../converge.ts";
import { examples, JSON_HELP } from "../help.ts";
import { took } from "../render/duration.ts";
import { renderImpair } from "../render/impair.ts";
import { type CommonOptions, print, printJson, type Session, yardName } from "../session.ts";
import { parseNicPath } from "../target.ts";
import { readYard } from "../view/open.ts";

interface Options extends CommonOptions {
  readonly way?: string;
}

/** `yard impair NODE:NIC|LINK|NODE [SETTING=VALUE…|off]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Delay, lose, double, reorder, corrupt or slow down the frames of a nic or a link, while it is in use. What is\n" +
        "not named stays as it is; without a setting, show what there is. A link is named as in `yard inspect`, its ends\n" +
        "joined by two dashes. The next `up` of its lab makes it again as the lab file says.",
    )
    .argument("<impaired>", "NODE:NIC, with the nic's name or number; NODE:NIC--NODE:NIC, a link; or NODE, of kind a2b")
    .argument("[setting...]", `${SETTINGS.join(", ")}, each SETTING=VALUE; or off, for none`)
    .option("--way <way>", "one way only: out or in of a nic, forward or backward of a link or an a2b")
    .option("--json", JSON_HELP)
    .action(async (text: string, words: readonly string[], options: Options) => {
      const yard = yardName(command, session.env);
      if (words.length === 0) return show(session, options, await readYard(session, yard), text);
      await change(session, options, yard, text, words);
    });
  examples(
    command,
    ["yard impair web:eth0 delay=20ms jitter=5ms loss=1%", "both ways"],
    ["yard impair web:eth0 --way out rate=1mbit queue=64kB", "only what web sends"],
    ["yard impair a:eth1--b:eth1 loss=100%", "a link that is cut"],
    ["yard impair web:eth0 loss=0 rate=none", "no loss and no limit any more; the delay stays"],
    ["yard impair web:eth0 off", "none of it"],
    ["yard impair web:eth0 --json", "what there is"],
  );
}

/** What a text names in a yard. */
interface Found {
  readonly what: Impaired;
  readonly name: string;
  readonly ways: typeof NIC_WAYS | typeof LINK_WAYS;
  readonly impair: ImpairView | null;
  /** Whose failure is this command's. */
  readonly nodes: readonly string[];
}

/** @throws YardError `usage.wrong`, `link.unknown`, `node.unknown`, `nic.unknown` */
function find(view: YardView, text: string): Found {
  if (text.split(":").length > 2) {
    const link = findLink(view, text);
    const nodes = view.nodes.filter(({ nics }) => nics.some((nic) => nic.link === link.name)).map(({ name }) => name);
    return { what: { link: link.name }, name: link.name, ways: LINK_WAYS, impair: link.impair, nodes };
  }
  const whole = text.includes(":") ? undefined : findNode(view, text);
  if (whole) {
    const { name, impair } = whole;
    return { what: { node: name }, name, ways: LINK_WAYS, impair, nodes: [name] };
  }
  const { node, nic } = parseNicPath(text);
  const owner = findNode(view, node);
  const numbered = owner.nics.find(({ port }) => port.endsWith(`_${nic}`))?.name;
  const { name, impair } = findNic(owner, owner.nics.some((it) => it.name === nic) ? nic : (numbered ?? nic));
  return { what: { node, nic: name }, name: `${node}:${name}`, ways: NIC_WAYS, impair, nodes: [node] };
}

async function change(
  session: Session,
  options: Options,
  yard: string,
  text: string,
  words: readonly string[],
): Promise<void> {
  const began = performance.now();
  // Refused before an agent is started for it.
  const settings = words.includes("off") ? "off" : words.map(parseSetting);
  if (settings === "off" && words.length > 1)
    throw new YardError("usage.wrong", '"off" stands alone: it takes all settings away');
  await using live = await openLiveYard(session, yard);
  const { what, name, ways, nodes } = find(currentView(yard, live.store), text);
  const change = wayOf(options.way, name, ways, settings);
  const changed = await commit(
    session,
    live,
    `impair ${name}`,
    () => setImpair(live.store, what, (present) => changedImpair(present, change)),
    { nodes },
  );
  const after = find(currentView(yard, live.store), name);
  if (options.json) return printJson(session, { ...jsonOf(after), changed, milliseconds: performance.now() - began });
  print(
    session,
    ...renderImpair(name, after.impair, after.ways, session.style),
    changed ? took(performance.now() - began) : "nothing to do",
  );
}

function show(session: Session, options: Options, view: YardView, text: string): void {
  const found = find(view, text);
  if (options.json) printJson(session, jsonOf(found));
  else print(session, ...renderImpair(found.name, found.impair, found.ways, session.style));
}

function jsonOf({ name, ways, impair }: Found) {
  return {
    what: name,
    by: impair?.by ?? null,
    [ways[0]]: impair?.forward ?? {},
    [ways[1]]: impair?.backward ?? {},
  };
}

/** @throws YardError `usage.wrong`, and what the value is refused with */
function parseSetting(word: string): readonly [Setting, string] {
  const [name = "", ...rest] = word.split("=");
  const setting: Setting | undefined = SETTINGS.find((it) => it === name);
  if (setting === undefined || rest.length === 0) {
    const near = nearest(name, SETTINGS);
    throw new YardError("usage.wrong", `"${word}" is no setting of an impairment`, {
      hint: near === undefined ? `write SETTING=VALUE: ${SETTINGS.join(", ")}; or off` : `write ${near}=VALUE`,
    });
  }
  withSetting(UNIMPAIRED, setting, rest.join("="));
  return [setting, rest.join("=")];
}

/** What is changed of which ways. @throws YardError `usage.wrong` */
function wayOf(
  way: string | undefined,
  name: string,
  [forward, backward]: Found["ways"],
  settings: ImpairSettings,
): ImpairChange {
  if (way === undefined) return { forward: settings, backward: settings };
  if (way === forward) return { forward: settings };
  if (way === backward) return { backward: settings };
  throw new YardError("usage.wrong", `"${way}" is no way of ${name}`, {
    hint: `--way ${forward} or --way ${backward}`,
  });
}
