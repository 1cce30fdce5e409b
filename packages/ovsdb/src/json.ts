import { ProtocolError } from "./errors.ts";

/** A JSON value; integers beyond ±(2^53-1) are `bigint`, since OVSDB's are 64 bits wide. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** Whether `value` is a JSON object (and no array). */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether `value` is a JSON array. */
export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/**
 * Reads one JSON text.
 *
 * @param exact keep integers exact that a double cannot hold (slower; only needed for runs of 16 digits or more)
 * @throws ProtocolError when it is malformed
 */
export function parseJson(text: string, exact: boolean): Json {
  try {
    return exact ? new ExactParser(text).parse() : (JSON.parse(text) as Json);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError(`the peer sent malformed JSON: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

/** Writes one JSON text; `bigint` is written in full. */
export function stringifyJson(value: Json): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // JSON.stringify refuses bigint. They are so rare that only their messages take the long way.
    if (error instanceof TypeError) return stringifyExact(value);
    throw error;
  }
}

function stringifyExact(value: Json): string {
  if (typeof value === "bigint") return value.toString();
  if (isArray(value)) return `[${value.map(stringifyExact).join(",")}]`;
  if (isObject(value))
    return `{${Object.entries(value)
      .map(([name, member]) => `${JSON.stringify(name)}:${stringifyExact(member)}`)
      .join(",")}}`;
  return JSON.stringify(value);
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 section 7 forbids exactly these unescaped
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\n\r]*/y;

/** A recursive-descent parser of RFC 8259; nesting is bounded by the framer. */
class ExactParser {
  #at = 0;
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }

  parse(): Json {
    const value = this.#value();
    if (this.#next() !== undefined) this.#fail();
    return value;
  }

  #fail(): never {
    throw new ProtocolError(`the peer sent malformed JSON at character ${this.#at}`);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) this.#fail();
    this.#at = pattern.lastIndex;
    return found[0];
  }

  #next(): string | undefined {
    this.#match(SPACE);
    return this.#text[this.#at];
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail();
    this.#at += word.length;
    return value;
  }

  #value(): Json {
    switch (this.#next()) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #string(): string {
    return JSON.parse(this.#match(STRING)) as string;
  }

  #number(): number | bigint {
    const token = this.#match(NUMBER);
    const value = Number(token);
    return /^-?\d+$/.test(token) && !Number.isSafeInteger(value) ? BigInt(token) : value;
  }

  #array(): Json[] {
    const items: Json[] = [];
    this.#at++;
    if (this.#next() === "]") {
      this.#at++;
      return items;
    }
    for (;;) {
      items.push(this.#value());
      const separator = this.#next();
      this.#at++;
      if (separator === "]") return items;
      if (separator !== ",") this.#fail();
    }
  }

  #object(): JsonObject {
    // Built like JSON.parse does it: a member called __proto__ is a member.
    const members: [string, Json][] = [];
    this.#at++;
    if (this.#next() === "}") {
      this.#at++;
      return {};
    }
    for (;;) {
      if (this.#next() !== '"') this.#fail();
      const name = this.#string();
      if (this.#next() !== ":") this.#fail();
      this.#at++;
      members.push([name, this.#value()]);
      const separator = this.#next();
      this.#at++;
      if (separator === "}") return Object.fromEntries(members);
      if (separator !== ",") this.#fail();
    }
  }
}
