/** YAML 1.2 text to plain values, with the place of each in the text. */
import { YardError } from "@switchyard/base";
import { Composer, type Document, isAlias, isMap, isScalar, isSeq, Lexer, type ParsedNode, Parser } from "yaml";
import type { Place, Problems } from "./problems.ts";

/** Bytes (UTF-16 units) that a lab file may have. */
const MOST_TEXT = 4 * 1024 * 1024;
/** Values that it may hold once its aliases are followed: what a file of aliases to aliases multiplies. */
const MOST_VALUES = 1_000_000;
/** Lists and mappings within one another; a lab needs eight. */
const MOST_DEPTH = 64;

/** A value of the file and where it stands. */
export interface SourceNode extends Place {
  /** As plain data: mappings have no prototype. */
  readonly value: unknown;
  /** A scalar as it is spelled, so that `1.10` stays `1.10` where text is meant. */
  readonly spelled?: string;
  readonly entries?: ReadonlyMap<string, SourceEntry>;
  readonly items?: readonly SourceNode[];
  /** Values within, aliases followed, itself included. */
  readonly weight: number;
}

export interface SourceEntry {
  readonly key: Place;
  readonly node: SourceNode;
}

/**
 * Reads the text. What is wrong with it goes to `problems`; the result is then undefined, for what a broken text says is
 * anybody's guess.
 */
export function readSource(text: string, problems: Problems): SourceNode | undefined {
  if (text.length > MOST_TEXT) {
    problems.add(
      { start: 0, end: 0 },
      () => new YardError("lab.too-large", `the lab file has more than ${MOST_TEXT / 1024 / 1024} MiB`),
    );
    return undefined;
  }
  const document = compose(text, problems);
  if (document === undefined || problems.some) return undefined;
  if (document.contents === null) {
    problems.add(
      { start: 0, end: 0 },
      () => new YardError("lab.empty", "the lab file is empty", { hint: "`yard init` writes one to start from" }),
    );
    return undefined;
  }
  const reader = new Reader(problems);
  const root = reader.read(document.contents, 0);
  return reader.incomplete ? undefined : root;
}

/** Tokens are counted on the way, since the library's own recursion only ends where the stack does. */
function compose(text: string, problems: Problems): Document.Parsed | undefined {
  const composer = new Composer({
    uniqueKeys: false,
    stringKeys: true,
    prettyErrors: false,
    logLevel: "silent",
    resolveKnownTags: false,
  });
  const parser = new Parser();
  const documents: Document.Parsed[] = [];
  let flow = 0;
  let onLine = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === "[" || lexeme === "{") flow++;
    else if (lexeme === "]" || lexeme === "}") flow--;
    else if (flow === 0 && (lexeme === "-" || lexeme === "?" || lexeme === ":")) onLine++;
    else if (lexeme.includes("\n")) onLine = 0;
    if (flow > MOST_DEPTH || onLine > MOST_DEPTH) {
      const at = parser.offset;
      problems.add(
        { start: at, end: at + 1 },
        () => new YardError("lab.too-deep", `more than ${MOST_DEPTH} lists and mappings within one another`),
      );
      return undefined;
    }
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
  }
  for (const token of parser.end()) documents.push(...composer.next(token));
  documents.push(...composer.end(true, text.length));
  const [document, second] = documents;
  if (document === undefined) return undefined;
  for (const error of [...document.errors, ...document.warnings]) {
    const [start, end] = error.pos;
    problems.add({ start, end }, () => new YardError("lab.bad-yaml", sentence(error.message), yamlHint(error.code)));
  }
  if (document.directives.yaml.version !== "1.2")
    problems.add(
      { start: 0, end: 1 },
      () => new YardError("lab.bad-yaml", "a lab file is YAML 1.2", { hint: "take the %YAML line out" }),
    );
  if (second !== undefined)
    problems.add(
      { start: second.range[0], end: second.range[0] + 1 },
      () =>
        new YardError("lab.bad-yaml", "a lab file holds one document, and here a second one begins", {
          hint: "put the other lab into a file of its own",
        }),
    );
  return document;
}

/** The reader quotes what it met, however long that is. */
const MOST_SAID = 160;

function sentence(message: string): string {
  const short = message.length > MOST_SAID ? `${message.slice(0, MOST_SAID)}…` : message;
  return `not YAML: ${short.charAt(0).toLowerCase()}${short.slice(1)}`;
}

function yamlHint(code: string): { hint?: string } {
  switch (code) {
    case "TAB_AS_INDENT":
      return { hint: "indent with blanks" };
    case "BLOCK_AS_IMPLICIT_KEY":
      return { hint: "if the value holds `: `, put it in quotes" };
    case "TAG_RESOLVE_FAILED":
      return { hint: "take the tag (the word that begins with `!`) out" };
    default:
      return {};
  }
}

class Reader {
  /** What each anchor stands for; while it is still being read, undefined. */
  private readonly anchors = new Map<string, SourceNode | undefined>();
  /** Whether something could not be read, so that what the rest means is not known. */
  incomplete = false;
  private stopped = false;

  constructor(private readonly problems: Problems) {}

  read(node: ParsedNode | null, depth: number, empty: Place = { start: 0, end: 0 }): SourceNode {
    if (node === null) return { value: null, weight: 1, ...empty };
    const place = { start: node.range[0], end: Math.max(node.range[1], node.range[0] + 1) };
    const none = { value: null, weight: 1, ...place };
    if (this.stopped) return none;
    if (depth > MOST_DEPTH) {
      this.stop(place, "lab.too-deep");
      return none;
    }
    if (isAlias(node)) {
      const target = this.anchors.get(node.source);
      if (target !== undefined) return { ...target, ...place };
      this.incomplete = true;
      this.problems.add(
        place,
        () =>
          new YardError("lab.bad-yaml", `not YAML: *${node.source} stands for nothing above it`, {
            hint: `name a value with &${node.source} first`,
          }),
      );
      return none;
    }
    if (node.anchor) this.anchors.delete(node.anchor);
    const read = isMap(node)
      ? this.readMapping(node.items, depth, place)
      : isSeq(node)
        ? this.readList(node.items, depth, place)
        : isScalar(node)
          ? this.readScalar(node.value, node.source, place)
          : none;
    if (read.weight > MOST_VALUES) this.stop(place, "lab.too-large");
    if (node.anchor) this.anchors.set(node.anchor, read);
    return read;
  }

  private readMapping(
    pairs: readonly { key: ParsedNode | null; value: ParsedNode | null }[],
    depth: number,
    place: Place,
  ): SourceNode {
    const value: Record<string, unknown> = Object.create(null);
    const entries = new Map<string, SourceEntry>();
    let weight = 1;
    for (const pair of pairs) {
      const key = this.readKey(pair.key, place);
      if (key === undefined) continue;
      const node = this.read(pair.value, depth + 1, key);
      weight += node.weight;
      if (weight > MOST_VALUES) break;
      const before = entries.get(key.name);
      if (before !== undefined) {
        const first = this.problems.where(before.key);
        this.problems.add(
          key,
          () =>
            new YardError("lab.duplicate-key", `"${key.name}" stands here a second time`, {
              hint: `the first is at ${first}; each may be there once`,
            }),
        );
        continue;
      }
      entries.set(key.name, { key, node });
      value[key.name] = node.value;
    }
    return { value, entries, weight, ...place };
  }

  private readKey(node: ParsedNode | null, mapping: Place): (Place & { readonly name: string }) | undefined {
    if (node !== null && isAlias(node)) {
      const target = this.anchors.get(node.source);
      const place = { start: node.range[0], end: node.range[1] };
      if (typeof target?.value === "string") return { name: target.value, ...place };
      this.problems.add(place, () => new YardError("lab.bad-yaml", "not YAML: a key must be a text"));
      return undefined;
    }
    if (node === null || !isScalar(node)) {
      this.problems.add(
        node === null ? mapping : { start: node.range[0], end: node.range[1] },
        () => new YardError("lab.bad-yaml", "not YAML: a key must be a text"),
      );
      return undefined;
    }
    const place = { start: node.range[0], end: Math.max(node.range[1], node.range[0] + 1) };
    const name = typeof node.value === "string" ? node.value : (node.source ?? "");
    if (node.anchor) this.anchors.set(node.anchor, { value: name, weight: 1, ...place });
    if (name === "<<" && node.type === "PLAIN") {
      this.problems.add(
        place,
        () =>
          new YardError("lab.merge-key", "the merge key << is not part of YAML 1.2", {
            hint: "put what nodes have in common under `defaults`",
          }),
      );
      return undefined;
    }
    // Plain objects of the validator's making have a prototype, which this key would set.
    if (name === "__proto__") {
      this.problems.add(place, () => new YardError("lab.unknown-key", '"__proto__" cannot be a key'));
      return undefined;
    }
    return { name, ...place };
  }

  private readList(nodes: readonly (ParsedNode | null)[], depth: number, place: Place): SourceNode {
    const items: SourceNode[] = [];
    let weight = 1;
    for (const node of nodes) {
      const item = this.read(node, depth + 1, place);
      weight += item.weight;
      if (weight > MOST_VALUES) break;
      items.push(item);
    }
    return { value: items.map((item) => item.value), items, weight, ...place };
  }

  private readScalar(value: unknown, spelled: string | undefined, place: Place): SourceNode {
    // No program argument, file name or kernel setting can hold the null character.
    if (typeof value === "string" && value.includes("\0"))
      this.problems.add(place, () => new YardError("lab.null-character", "a text must not contain the null character"));
    return { value, weight: 1, ...(spelled === undefined ? {} : { spelled }), ...place };
  }

  private stop(place: Place, why: "lab.too-deep" | "lab.too-large"): void {
    this.stopped = true;
    this.incomplete = true;
    this.problems.add(place, () =>
      why === "lab.too-deep"
        ? new YardError("lab.too-deep", `more than ${MOST_DEPTH} lists and mappings within one another`)
        : new YardError("lab.too-large", `more than ${MOST_VALUES} values once the aliases are followed`),
    );
  }
}
