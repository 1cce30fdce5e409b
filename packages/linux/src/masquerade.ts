/** Source NAT by nftables: one table for each link behind which addresses are hidden. */
import { tryRun, YardError } from "@switchyard/base";
import { checkLinkName } from "./names.ts";

/** What leaves the host from `subnets`, other than by `device`, gets an address of the host's. */
export interface Masquerade {
  readonly device: string;
  /** IPv4, as nft(8) writes them, in ascending order. */
  readonly subnets: readonly string[];
}

/** How nft writes the one chain of a table, so that what it says can be held against what was asked for. */
const CHAIN = "type nat hook postrouting priority srcnat; policy accept;";
const RULE = /^ip saddr (\S+) oifname != "([^"]+)" masquerade$/;
const TABLE = /^[A-Za-z][A-Za-z0-9_.]*$/;

/**
 * The tables whose names begin with `prefix`, by the rest of their names. One that somebody changed to what no
 * {@link Masquerade} stands for is told without subnets.
 *
 * @throws YardError `masquerade.refused` when nft(8) fails; where it is not installed there are none
 */
export async function listMasquerades(prefix: string): Promise<Map<string, Masquerade>> {
  const found = new Map<string, Masquerade>();
  for (const line of (await nft(["list", "tables", "inet"])).split("\n")) {
    const name = line.replace("table inet ", "");
    if (!name.startsWith(prefix)) continue;
    const { code, stdout } = await tryRun(["nft", "-s", "list", "table", "inet", name]);
    // It may have gone since.
    if (code === 0) found.set(name.slice(prefix.length), parseTable(stdout));
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

function tableText(name: string, { device, subnets }: Masquerade): string {
  checkLinkName(device);
  const rules = subnets.map((subnet) => `\t\tip saddr ${subnet} oifname != "${device}" masquerade\n`);
  return `table inet ${name} {\n\tchain postrouting {\n\t\t${CHAIN}\n${rules.join("")}\t}\n}\n`;
}

function parseTable(text: string): Masquerade {
  const lines = text.split("\n").map((line) => line.trim());
  const [table, chain, hook, ...rest] = lines.filter((line) => line !== "" && line !== "}");
  const rules = rest.map((line) => RULE.exec(line));
  const devices = new Set(rules.map((rule) => rule?.[2] ?? ""));
  const [device = ""] = devices;
  const known = table?.startsWith("table inet ") && chain === "chain postrouting {" && hook === CHAIN;
  const subnets = rules.flatMap((rule) => rule?.[1] ?? []);
  if (!known || devices.size !== 1 || subnets.length !== rules.length) return { device, subnets: [] };
  return { device, subnets: subnets.toSorted() };
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
