/** Source NAT and isolation by nftables: one table for each link behind which something is. */
import { tryRun, YardError } from "@switchyard/base";
import { checkLinkName } from "./names.ts";
import { rulesetGeneration } from "./netlink/ruleset.ts";

/**
 * What leaves the host from `subnets`, other than by `device`, gets an address of the host's; what comes in by other
 * links of `group` never leaves by `device`.
 */
export interface Masquerade {
  readonly device: string;
  /** Of either family, as nft(8) writes them, sorted. */
  readonly subnets: readonly string[];
  /** See the operation `set` of links; undefined: whatever the host routes there gets there. */
  readonly group: number | undefined;
}

const TABLE = /^[A-Za-z][A-Za-z0-9_.]*$/;

/** What was listed last, by the prefix, and of which of the kernel's rules: they are the same while it counts no change. */
const listed = new Map<string, { readonly generation: number; readonly tables: ReadonlyMap<string, Masquerade> }>();

/**
 * The tables whose names begin with `prefix`, by the rest of their names. One that somebody changed to what no
 * {@link Masquerade} stands for is told without subnets and group.
 *
 * @throws YardError `masquerade.refused` when nft(8) fails; where it is not installed there are none
 */
export async function listMasquerades(prefix: string): Promise<ReadonlyMap<string, Masquerade>> {
  // Asked for first: a change while the tables are read makes them be read again.
  const generation = rulesetGeneration();
  const known = listed.get(prefix);
  if (known && known.generation === generation) return known.tables;
  const tables = await readMasquerades(prefix);
  if (generation !== undefined) listed.set(prefix, { generation, tables });
  return tables;
}

async function readMasquerades(prefix: string): Promise<Map<string, Masquerade>> {
  const found = new Map<string, Masquerade>();
  for (const line of (await nft(["list", "tables", "inet"])).split("\n")) {
    const name = line.replace("table inet ", "");
    if (!name.startsWith(prefix)) continue;
    const { code, stdout } = await tryRun(["nft", "-s", "list", "table", "inet", name]);
    // It may have gone since.
    if (code === 0) found.set(name.slice(prefix.length), parseTable(name, stdout));
  }
  return found;
}

/**
 * Makes tables, replacing those there are, and removes others, all in one transaction of the kernel's.
 *
 * @param set by the name of the table
 * @throws YardError `masquerade.refused`, `link.bad-name`, `command.not-found`
 */
export async function changeMasquerades(
  set: ReadonlyMap<string, Masquerade>,
  remove: readonly string[],
): Promise<void> {
  const names = [...set.keys(), ...remove];
  for (const name of names)
    if (!TABLE.test(name)) throw new YardError("masquerade.refused", `"${name}" cannot be the name of a table`);
  if (names.length === 0) return;
  // Adding a table that is there is no error, so that removing one that is not is none either.
  const cleared = names.map((name) => `add table inet ${name}\ndelete table inet ${name}\n`);
  const made = [...set].map(([name, masquerade]) => tableText(name, masquerade));
  const { code, stderr } = await tryRun(["nft", "-f", "-"], { input: [...cleared, ...made].join("") });
  if (code !== 0) throw new YardError("masquerade.refused", `nft refused the masquerade: ${stderr.trim()}`);
}

/** As nft writes a table, so that what it says can be held against what was asked for. */
function tableText(name: string, { device, subnets, group }: Masquerade): string {
  checkLinkName(device);
  const apart = group === undefined ? [] : [`oifname "${device}" iifname != "${device}" iifgroup ${group} drop`];
  const hidden = subnets.map((subnet) => `${matchOf(subnet)} saddr ${subnet} oifname != "${device}" masquerade`);
  const forward = chainText("forward", "type filter hook forward priority filter; policy accept;", apart);
  const postrouting = chainText("postrouting", "type nat hook postrouting priority srcnat; policy accept;", hidden);
  return `table inet ${name} {\n${[forward, postrouting].filter((text) => text !== "").join("\n")}}\n`;
}

const matchOf = (subnet: string) => (subnet.includes(":") ? "ip6" : "ip");

function chainText(name: string, hook: string, rules: readonly string[]): string {
  if (rules.length === 0) return "";
  return `\tchain ${name} {\n${[hook, ...rules].map((line) => `\t\t${line}\n`).join("")}\t}\n`;
}

function parseTable(name: string, text: string): Masquerade {
  const device = /oifname (?:!= )?"([^"]+)"/.exec(text)?.[1] ?? "";
  const subnets = [...text.matchAll(/ip6? saddr (\S+)/g)].map(([, subnet = ""]) => subnet).toSorted();
  const group = /iifgroup (\d+)/.exec(text)?.[1];
  const told = { device, subnets, group: group === undefined ? undefined : Number(group) };
  return device !== "" && tableText(name, told) === text ? told : { device, subnets: [], group: undefined };
}

async function nft(args: readonly string[]): Promise<string> {
  try {
    const { code, stdout, stderr } = await tryRun(["nft", ...args]);
    if (code === 0) return stdout;
    // A kernel without nftables has none either.
    if (/not supported|No such file/.test(stderr)) return "";
    throw new YardError("masquerade.refused", `nft ${args.join(" ")} failed: ${stderr.trim()}`);
  } catch (error) {
    if (error instanceof YardError && error.code === "command.not-found") return "";
    throw error;
  }
}
