/**
 * The model changed command by command. What a command says is read by the reader of lab files, as a lab of one thing
 * among the networks that the yard has, so that both ways mean and refuse the same.
 */
import { YardError, YardErrors } from "@switchyard/base";
import { makingOf, type NetworkSpec, type NicSpec, type NodeSpec, parseLab } from "@switchyard/yard/model";
import { type Commanded, type Rows, type Scope, waitApplied } from "@switchyard/yard/store";
import { converge, type LiveYard } from "./converge.ts";
import { failureErrors } from "./failures.ts";
import { failuresOf } from "./render/error.ts";
import type { Session } from "./session.ts";

/** A part of a lab file, as data. */
export type FilePart = Readonly<Record<string, unknown>>;

/** Name of the lab that a command's words are read as; it is not stored. */
const SCRATCH = "command";

/** @throws YardError, YardErrors what a lab file would be refused with */
export function networkSpec(session: Session, name: string, network: FilePart): NetworkSpec {
  const { networks } = read(session, { networks: { [name]: network } });
  return one(networks);
}

/** @throws YardError, YardErrors what a lab file would be refused with */
export function nodeSpec(session: Session, rows: Rows, name: string, node: FilePart): NodeSpec {
  const { nodes } = read(session, { networks: networksOf(rows), nodes: { [name]: node } });
  return one(nodes);
}

/** @throws YardError, YardErrors what a lab file would be refused with */
export function nicSpec(session: Session, rows: Rows, nic: FilePart): NicSpec {
  const nodes = { node: { kind: "netns", nics: [nic] } };
  return one(one(read(session, { networks: networksOf(rows), nodes }).nodes).nics);
}

/**
 * The fields of a nic as one word: `lan01`, or `lan01,ip=10.1.0.1/24,vlan=5`. A field given twice is a list.
 *
 * @throws YardError `usage.wrong`
 */
export function parseNicWord(word: string): FilePart {
  const [network, ...fields] = word.split(",");
  const nic: Record<string, unknown> = { network };
  for (const field of fields) {
    const [name = "", ...rest] = field.split("=");
    const text = rest.join("=");
    if (name === "" || rest.length === 0)
      throw new YardError("usage.wrong", `"${field}" is no field of a nic`, {
        hint: "write NETWORK[,FIELD=VALUE]…, such as lan01,ip=10.1.0.1/24,name=eth1",
      });
    const value = numeric.has(name) && /^\d+$/.test(text) ? Number(text) : text;
    const present = nic[name];
    const list = present === undefined ? value : [...(Array.isArray(present) ? present : [present]), value];
    nic[name] = name === "trunks" && !Array.isArray(list) ? [list] : list;
  }
  return nic;
}
const numeric = new Set(["slot", "mtu", "vlan", "trunks"]);

/**
 * Writes a command and waits for the agent's word. One that failed is withdrawn, and leaves nothing behind.
 *
 * @throws YardError, YardErrors what kept it from being made so
 */
export async function commit(
  session: Session,
  live: LiveYard,
  title: string,
  write: () => Promise<Commanded>,
  scope: Scope,
): Promise<boolean> {
  const { result, failures } = await converge(session, live, title, write, scope);
  const error = failureErrors(failures);
  if (error === undefined) return result.changed;
  const withdrawn = await result.withdraw?.();
  if (withdrawn !== undefined)
    await Promise.race([waitApplied(live.store, withdrawn.cfg, { ...scope, timeout: 30_000 }), live.died]);
  throw error;
}

function networksOf(rows: Rows): FilePart {
  return Object.fromEntries(
    rows.networks.map(({ name, cidr, gateway, mtu, ...network }) => [
      name,
      {
        ...makingOf(network),
        ...(cidr.length === 0 ? {} : { cidr }),
        ...(gateway.length === 0 ? {} : { gateway }),
        ...(mtu === undefined ? {} : { mtu }),
      },
    ]),
  );
}

function read(session: Session, lab: FilePart) {
  try {
    // JSON is YAML.
    return parseLab(JSON.stringify({ name: SCRATCH, ...lab }), { file: "", environment: session.env }).lab;
  } catch (error) {
    throw withoutPlaces(error);
  }
}

/** A command line has no lines and columns, and nobody wrote the text that an excerpt would show. */
function withoutPlaces(error: unknown): unknown {
  if (!(error instanceof YardError)) return error;
  const bare = failuresOf(error).map(
    ({ code, message, hint }) => new YardError(code, message, hint === undefined ? {} : { hint }),
  );
  const [first, ...others] = bare;
  if (first === undefined) return error;
  return others.length === 0 ? first : new YardErrors([first, ...others]);
}

function one<T>(list: readonly T[]): T {
  const [first] = list;
  if (first === undefined) throw new YardError("internal.unexpected", "the command declares nothing");
  return first;
}
