/** `lst`: a net as the commands that make it. */
import { isDeepStrictEqual } from "node:util";
import { impairSpec, nodeSpec, UNIMPAIRED } from "@switchyard/yard/model";
import type { NodeEntry, Rows } from "@switchyard/yard/store";
import { additionWords, hasEths, settingWords, type Wording } from "./items.ts";
import { parseCommand } from "./parse.ts";
import { A2B_SETTINGS } from "./settings.ts";

export interface Listing extends Wording {
  readonly net: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The commands, in an order in which they can be given again: items by their numbers, then what they are plugged into,
 * what impairs them and who is spied on. What cannot be said in cloonix's words is a comment.
 */
export function listLines(rows: Rows, listing: Listing): string[] {
  const items: string[] = [];
  const lans: string[] = [];
  const impaired: string[] = [];
  const spied: string[] = [];
  const comments: string[] = [];
  const command = (...words: readonly string[]) => `cloonix_cli ${listing.net} ${words.map(quoted).join(" ")}`;
  for (const node of rows.nodes) {
    const { name, spec, nics } = node;
    const words = additionWords(node, listing);
    if (words === undefined) {
      comments.push(`# ${name}, of kind ${spec.kind}, cannot be made by these commands`);
      continue;
    }
    items.push(command("add", ...words));
    if (!isSaid(node, words, listing)) comments.push(`# ${name} is more than these commands can say`);
    for (const { index, network, spy } of nics) {
      if (network !== undefined) lans.push(command("add", "lan", name, String(index), network));
      if (spy && !hasEths(spec.kind)) spied.push(command("snf", name, String(index), "1"));
    }
    if (spec.kind !== "a2b" || spec.impair === undefined) continue;
    const { forward, backward } = spec.impair;
    for (const set of [...settingWords(name, 0, forward), ...settingWords(name, 1, backward)])
      impaired.push(command("cnf", "a2b", ...set));
  }
  const settled = rows.networks.flatMap((it) =>
    it.type === "lan" && it.rstp ? [command("cnf", "lan", it.name, "rstp")] : [],
  );
  const joined = new Set(rows.nodes.flatMap(({ nics }) => nics.flatMap(({ network }) => network ?? [])));
  for (const { name, type, cidr } of rows.networks)
    if (type !== "lan" || cidr.length > 0 || !joined.has(name))
      comments.push(`# the network ${name}, of type ${type}, is more than these commands can say`);
  for (const { name } of rows.links) comments.push(`# the link ${name} cannot be made by these commands`);
  return [...items, ...lans, ...settled, ...impaired, ...spied, ...comments];
}

/** Whether the words make the very same node. */
function isSaid(node: NodeEntry, words: readonly string[], { environment }: Listing): boolean {
  try {
    const command = parseCommand(["add", ...words], "/");
    if (command.do !== "add") return false;
    const { nics, ...spec } = nodeSpec(node.name, command.node, { networks: [], environment });
    return isDeepStrictEqual(plain({ ...spec, nics: nics.map(plainNic) }), plain(asMade(node)));
  } catch {
    // An image that is no more, for instance.
    return false;
  }
}

type Nic = Pick<NodeEntry["nics"][number], "name" | "slot" | "mtu" | "vlan" | "trunks" | "gateway" | "dns" | "routes"> &
  Pick<NodeEntry["nics"][number], "dhcp" | "monitor" | "identity" | "impair">;

/** What the commands cannot say of a nic, which must be as it is by itself. */
function plainNic({ name, slot, mtu, vlan, trunks, gateway, dns, routes, dhcp, monitor, identity, impair }: Nic) {
  return { name, slot, mtu, vlan, trunks, gateway, dns, routes, dhcp, monitor, identity, impair };
}

/** The node without what is said by commands of its own. */
function asMade({ name, spec, nics }: NodeEntry) {
  const own = nics.map(plainNic);
  if (spec.kind !== "a2b" || spec.impair === undefined) return { ...spec, name, nics: own };
  // As far as there are words for it.
  const { forward, backward } = spec.impair;
  const said = [forward, backward].map((way) => ({
    ...way,
    ...Object.fromEntries(A2B_SETTINGS.map(({ setting }) => [setting, UNIMPAIRED[setting]])),
    ...(way.queue?.unit === "frames" ? { queue: way.queue } : {}),
  }));
  const [ahead = UNIMPAIRED, back = UNIMPAIRED] = said;
  return { ...spec, name, nics: own, impair: impairSpec(ahead, back) };
}

/** Without members that are undefined: the two sides differ in whether they have them. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
