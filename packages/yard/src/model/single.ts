/**
 * One thing by itself, as a command or another program's request names it. It is read by the reader of lab files, as a
 * lab of one thing among the networks that the yard has, so that all ways mean and refuse the same.
 */
import { YardError, YardErrors } from "@switchyard/base";
import { makingOf } from "./making.ts";
import { parseLab } from "./parse.ts";
import type { NetworkSpec, NicSpec, NodeSpec } from "./types.ts";

/** A part of a lab file, as data. */
export type FilePart = Readonly<Record<string, unknown>>;

/** What it is read with. */
export interface Surroundings {
  /** The networks that there are. */
  readonly networks: readonly NetworkSpec[];
  /** What says which engine is meant. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Name of the lab that the thing is read as; it is not stored. */
const SCRATCH = "command";

/** @throws YardError, YardErrors what a lab file would be refused with */
export function networkSpec(name: string, network: FilePart, environment: Surroundings["environment"]): NetworkSpec {
  const { networks } = read({ networks: { [name]: network } }, environment);
  return one(networks);
}

/** @throws YardError, YardErrors what a lab file would be refused with */
export function nodeSpec(name: string, node: FilePart, { networks, environment }: Surroundings): NodeSpec {
  const { nodes } = read({ networks: filePartOf(networks), nodes: { [name]: node } }, environment);
  return one(nodes);
}

/** @throws YardError, YardErrors what a lab file would be refused with */
export function nicSpec(nic: FilePart, { networks, environment }: Surroundings): NicSpec {
  const nodes = { node: { kind: "netns", nics: [nic] } };
  return one(one(read({ networks: filePartOf(networks), nodes }, environment).nodes).nics);
}

function filePartOf(networks: readonly NetworkSpec[]): FilePart {
  return Object.fromEntries(
    networks.filter(isDeclared).map(({ name, cidr, gateway, mtu, ...network }) => [
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

/** Others have a name that says what they are. */
function isDeclared({ name }: NetworkSpec): boolean {
  return !name.includes(":");
}

function read(lab: FilePart, environment: Surroundings["environment"]) {
  try {
    // JSON is YAML.
    return parseLab(JSON.stringify({ name: SCRATCH, ...lab }), { file: "", environment }).lab;
  } catch (error) {
    throw withoutPlaces(error);
  }
}

/** Such a thing has no lines and columns, and nobody wrote the text that an excerpt would show. */
function withoutPlaces(error: unknown): unknown {
  if (!(error instanceof YardError)) return error;
  const errors = error instanceof YardErrors ? error.errors : [error];
  const bare = errors.map(
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
