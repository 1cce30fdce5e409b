/** TCP ports that the host takes connections to by a rule of their own, in a table of nftables that holds nothing else. */
import { tryRun, YardError } from "@switchyard/base";

/** A table's name, and the rules of its only chain as nft(8) writes them: `ip saddr 10.0.0.0/8 tcp dport 80 accept`. */
const TABLE = /^[A-Za-z][A-Za-z0-9_]*$/;
const RULE =
  /^(iifname "[^"\\\s]{1,15}" )?((ip saddr [0-9.]+|ip6 saddr [0-9a-f:]+)(\/\d{1,3})? )?tcp dport \d{1,5} accept$/;

/** @returns the rules in the order in which they were added; none where there is no such table */
export async function listOpenPorts(table: string): Promise<readonly string[]> {
  return [...(await handles(table)).keys()];
}

/**
 * Adds a rule, with its table where there is none yet.
 *
 * @throws YardError `open-ports.refused`, `command.not-found`
 */
export async function addOpenPort(table: string, rule: string): Promise<void> {
  checkTable(table);
  if (!RULE.test(rule)) throw new YardError("open-ports.refused", `"${rule}" is no rule for a port`);
  await change(
    `add table inet ${table}\n` +
      `add chain inet ${table} input { type filter hook input priority filter; policy accept; }\n` +
      `add rule inet ${table} input ${rule}\n`,
  );
}

/**
 * Removes a rule, and with the last one its table.
 *
 * @returns whether there was one
 * @throws YardError `open-ports.refused`, `command.not-found`
 */
export async function removeOpenPort(table: string, rule: string): Promise<boolean> {
  const rules = await handles(table);
  const handle = rules.get(rule);
  if (handle === undefined) return false;
  await change(
    rules.size === 1 ? `delete table inet ${table}\n` : `delete rule inet ${table} input handle ${handle}\n`,
  );
  return true;
}

/** The rules, each with the number that the kernel knows it by. */
async function handles(table: string): Promise<Map<string, string>> {
  checkTable(table);
  const { code, stdout, stderr } = await tryRun(["nft", "-a", "list", "table", "inet", table]);
  if (code !== 0 && !/No such file|not supported/.test(stderr)) throw refused(stderr);
  const lines = stdout.split("\n").map((line) => /^\t\t(.* accept) # handle (\d+)$/.exec(line));
  return new Map(lines.flatMap((match) => (match === null ? [] : [[match[1] ?? "", match[2] ?? ""]])));
}

async function change(text: string): Promise<void> {
  const { code, stderr } = await tryRun(["nft", "-f", "-"], { input: text });
  if (code !== 0) throw refused(stderr);
}

function checkTable(table: string): void {
  if (!TABLE.test(table)) throw new YardError("open-ports.refused", `"${table}" cannot be the name of a table`);
}

function refused(stderr: string): YardError {
  return new YardError("open-ports.refused", `nft refused it: ${stderr.trim()}`);
}
