/** What can be written at a place of a lab file, from the file's JSON Schema. */
import { isMap, isScalar, parseDocument } from "yaml";

/** A part of a JSON Schema, as far as completion needs it. */
export interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly type?: string | readonly string[];
  readonly description?: string;
}

export interface Suggestion {
  readonly text: string;
  readonly kind: "key" | "value";
  readonly about: string | undefined;
}

/** Where in a text something is being written. */
export interface Place {
  /** Of the mapping or list that is written in, or of the value after a key: keys, and `*` for a place in a list. */
  readonly path: readonly string[];
  /** Whether a value is wanted and not a key. */
  readonly isValue: boolean;
  /** What is written of it already. */
  readonly prefix: string;
}

/** The place at an offset of a text, by its indentation; on one line also within braces. */
export function placeAt(text: string, offset: number): Place {
  const lines = text.slice(0, offset).split("\n");
  const line = lines.pop() ?? "";
  const { dashes, column, content } = lineOf(line);
  const above = pathAbove(lines, dashes, column);
  const braces = placeInBraces(content);
  if (braces !== undefined) return { ...braces, path: [...above, ...braces.path] };
  const [, key, written = ""] = /^([\w.-]+):\s+(\S*)$/.exec(content) ?? [];
  if (key !== undefined) return { path: [...above, key], isValue: true, prefix: written };
  return { path: above, isValue: false, prefix: /\S*$/.exec(content)?.[0] ?? "" };
}

/** The columns of a line's dashes and of what follows them. */
function lineOf(line: string): {
  readonly dashes: readonly number[];
  readonly column: number;
  readonly content: string;
} {
  const lead = /^\s*(?:- +)*/.exec(line)?.[0] ?? "";
  const dashes = [...lead.matchAll(/-/g)].map(({ index }) => index);
  return { dashes, column: lead.length, content: line.slice(lead.length) };
}

/** The keys that the lines above a place put it below, by their columns. */
function pathAbove(lines: readonly string[], dashes: readonly number[], column: number): string[] {
  const path: string[] = [];
  // What is above must stand left of this; a list's dashes may also stand right below their key.
  let limit = column;
  const enter = (marks: readonly number[]) => {
    for (const mark of marks.toReversed())
      if (mark < limit) {
        path.unshift("*");
        limit = mark;
      }
  };
  enter(dashes);
  for (const line of lines.toReversed()) {
    const above = lineOf(line);
    const [, key, rest = ""] = /^([\w.-]+):(?:\s+(.*))?$/.exec(above.content) ?? [];
    const isOpen = rest === "" || rest.startsWith("#");
    const isParent = above.column < limit || (above.column === limit && path[0] === "*");
    if (key !== undefined && isOpen && isParent) {
      path.unshift(key);
      limit = above.column;
    }
    enter(above.dashes);
  }
  return path;
}

/** Within `{ … }` that is open at the end of a line; its path begins at the line's own place. */
function placeInBraces(content: string): Place | undefined {
  const open = content.lastIndexOf("{");
  if (open < 0 || content.includes("}", open)) return undefined;
  const outer = /([\w.-]+):\s*(\[.*)?$/.exec(content.slice(0, open));
  const path = outer ? [outer[1] ?? "", ...(outer[2] === undefined ? [] : ["*"])] : [];
  const last =
    content
      .slice(open + 1)
      .split(",")
      .at(-1)
      ?.trimStart() ?? "";
  const [, key, written = ""] = /^([\w.-]+):\s+(\S*)$/.exec(last) ?? [];
  if (key !== undefined) return { path: [...path, key], isValue: true, prefix: written };
  return { path, isValue: false, prefix: last };
}

/** What can be written there. */
export function suggest(schema: Schema, place: Place, text: string): Suggestion[] {
  const at = schemasAt(schema, place.path);
  if (place.isValue) {
    const own = place.path.at(-1) === "network" ? networksOf(text) : [];
    const values = at.flatMap((part) => [...(part.enum ?? []), ...(part.const === undefined ? [] : [part.const])]);
    const flags = at.some(({ type }) => type === "boolean") ? ["true", "false"] : [];
    return unique([...own, ...values.map(String), ...flags]).map((text) => ({ text, kind: "value", about: undefined }));
  }
  const keys = new Map(at.flatMap(({ properties }) => Object.entries(properties ?? {})));
  return [...keys].map(([text, { description }]) => ({ text, kind: "key", about: description }));
}

/** The parts of the schema that a path leads to: of alternatives, all. */
function schemasAt(root: Schema, path: readonly string[]): Schema[] {
  let at = spread(root, root);
  for (const step of path)
    at = at.flatMap((part) => {
      const next = step === "*" ? part.items : (part.properties?.[step] ?? ruleForOthers(part));
      return next === undefined ? [] : spread(root, next);
    });
  return at;
}

function ruleForOthers({ additionalProperties }: Schema): Schema | undefined {
  return typeof additionalProperties === "object" ? additionalProperties : undefined;
}

/** A part and all that it stands for. */
function spread(root: Schema, part: Schema): Schema[] {
  const named = part.$ref === undefined ? undefined : root.$defs?.[part.$ref.replace("#/$defs/", "")];
  const others = [...(named ? [named] : []), ...(part.anyOf ?? []), ...(part.oneOf ?? []), ...(part.allOf ?? [])];
  return [part, ...others.flatMap((other) => spread(root, other))];
}

function networksOf(text: string): string[] {
  const doc = parseDocument(text);
  const networks = doc.get("networks");
  return isMap(networks) ? networks.items.map(({ key }) => String(isScalar(key) ? key.value : key)) : [];
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)];
}
