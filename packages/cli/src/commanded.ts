/** The model changed command by command. */
import { YardError } from "@switchyard/base";
import type { FilePart } from "@switchyard/yard/model";
import { type Commanded, carryOut, type Scope } from "@switchyard/yard/store";
import { converge, type LiveYard } from "./converge.ts";
import { Interrupted, type Session, say } from "./session.ts";

/** Milliseconds that the database may take for it. */
const WITHDRAWAL = 5_000;

/**
 * The fields of a nic as one word: `lan01`, `lan01,ip=10.1.0.1/24,vlan=5`, or `type=vlan,id=100`. A field given twice is
 * a list; those of `config` are fields like others.
 *
 * @throws YardError `usage.wrong`
 */
export function parseNicWord(word: string): FilePart {
  const words = word.split(",");
  // By type and id there is no name before the fields.
  const named = words[0]?.includes("=") !== true;
  const fields = named ? words.slice(1) : words;
  const nic: Record<string, unknown> = named ? { network: words[0] } : {};
  for (const field of fields) {
    const [name = "", ...rest] = field.split("=");
    const text = rest.join("=");
    if (name === "" || rest.length === 0)
      throw new YardError("usage.wrong", `"${field}" is no field of a nic`, {
        hint: "write NETWORK[,FIELD=VALUE]…, such as lan01,ip=10.1.0.1/24,name=eth1, or vlan:100,name=eth1",
      });
    const value = fieldValue(name, text);
    const present = nic[name];
    const list = present === undefined ? value : [...(Array.isArray(present) ? present : [present]), value];
    nic[name] = name === "trunks" && !Array.isArray(list) ? [list] : list;
  }
  return nic;
}
const numeric = new Set(["slot", "mtu", "vlan", "trunks"]);
const yesOrNo = new Set(["dhcp", "monitor", "spy"]);

function fieldValue(name: string, text: string): string | number | boolean {
  if (numeric.has(name) && /^\d+$/.test(text)) return Number(text);
  return yesOrNo.has(name) && (text === "true" || text === "false") ? text === "true" : text;
}

/**
 * Writes a command and waits for the agent's word. One that failed, or is interrupted, is withdrawn, and leaves nothing
 * behind.
 *
 * @throws Interrupted at Ctrl-C; YardError, YardErrors what kept it from being made so
 */
export async function commit(
  session: Session,
  live: LiveYard,
  title: string,
  write: () => Promise<Commanded>,
  scope: Scope,
): Promise<boolean> {
  let written: Commanded | undefined;
  const writing = async () => {
    written = await write();
    return written;
  };
  const settled = () => converge(session, live, title, writing, scope);
  try {
    return await carryOut(live.store, settled, { ...scope, died: live.died });
  } catch (error) {
    if (error instanceof Interrupted) say(session, `interrupted: ${await takenBack(written)}`);
    throw error;
  }
}

/** Takes back what a command has written that nobody waits for any more. @returns what has become of it, in words */
async function takenBack(written: Commanded | undefined): Promise<string> {
  if (written?.changed !== true) return "nothing was changed";
  if (written.withdraw === undefined) return "what was asked for stands, and the agent goes on with it";
  await written.withdraw({ signal: AbortSignal.timeout(WITHDRAWAL) });
  return "what was asked for is taken back";
}
