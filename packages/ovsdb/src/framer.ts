import { ProtocolError } from "./errors.ts";
import { type Json, parseJson } from "./json.ts";

/** What ovsdb-server's own parser allows (lib/json.c, JSON_MAX_HEIGHT). */
const MAX_DEPTH = 1000;
/** Shorter runs of digits are always exact in a double. */
const LONG_NUMBER = 16;

/**
 * Cuts a byte stream into JSON texts (RFC 7047 section 4: values back to back, without delimiter or length).
 *
 * Bytes are looked at once, whatever the chunks: only nesting, strings and escapes are followed here, the grammar is
 * the parser's. Text is decoded when a message is whole, so that a character may be split anywhere.
 */
export class Framer {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #length = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #digits = 0;
  #exact = false;

  /** @param limit the longest message taken, in bytes */
  constructor(limit = 512 * 1024 * 1024) {
    this.#limit = limit;
  }

  /** Bytes of a message that has begun and is not whole. */
  get buffered(): number {
    return this.#length;
  }

  /**
   * Takes bytes and yields the messages that they complete, each before the next is looked for.
   *
   * @throws ProtocolError when the bytes cannot be JSON-RPC; the framer is of no use after that
   */
  *push(chunk: Uint8Array): Generator<Json, void> {
    let start = 0;
    while (start < chunk.length) {
      if (this.#depth === 0) {
        start = skipSpace(chunk, start);
        if (start === chunk.length) return;
        // Every message is an object (JSON-RPC 1.0), which saves finding out where a bare number would end.
        if (chunk[start] !== 0x7b)
          throw new ProtocolError(`the peer sent byte 0x${chunk[start]?.toString(16)} where a message should begin`);
      }
      const end = this.#scan(chunk, start);
      if (this.#length + (end === -1 ? chunk.length : end) - start > this.#limit)
        throw new ProtocolError(`the peer sent a message longer than ${this.#limit} bytes`);
      if (end === -1) {
        this.#parts.push(chunk.subarray(start));
        this.#length += chunk.length - start;
        return;
      }
      yield this.#finish(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end));
      start = end;
    }
  }

  /** Follows the bytes from `from`; returns the index behind the message's end, or -1 when it is not in `chunk`. */
  #scan(chunk: Uint8Array, from: number): number {
    let depth = this.#depth;
    let inString = this.#inString;
    let escaped = this.#escaped;
    let digits = this.#digits;
    let end = -1;
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === 0x5c) escaped = true;
        else if (byte === 0x22) inString = false;
      } else if (byte >= 0x30 && byte <= 0x39) {
        if (++digits === LONG_NUMBER) this.#exact = true;
      } else {
        digits = 0;
        if (byte === 0x22) inString = true;
        else if (byte === 0x7b || byte === 0x5b) {
          if (++depth > MAX_DEPTH) throw new ProtocolError(`the peer sent JSON nested deeper than ${MAX_DEPTH}`);
        } else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) {
          end = i + 1;
          break;
        }
      }
    }
    this.#depth = depth;
    this.#inString = inString;
    this.#escaped = escaped;
    this.#digits = digits;
    return end;
  }

  #finish(last: Uint8Array): Json {
    let text: string;
    try {
      text = this.#decoder.decode(this.#parts.length === 0 ? last : this.#join(last));
    } catch (error) {
      throw new ProtocolError("the peer sent text that is not UTF-8", { cause: error });
    }
    const exact = this.#exact;
    this.#parts = [];
    this.#length = 0;
    this.#digits = 0;
    this.#exact = false;
    return parseJson(text, exact);
  }

  #join(last: Uint8Array): Uint8Array {
    const whole = new Uint8Array(this.#length + last.length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    whole.set(last, at);
    this.#parts = [];
    return whole;
  }
}

function skipSpace(chunk: Uint8Array, from: number): number {
  let at = from;
  while (at < chunk.length) {
    const byte = chunk[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at++;
  }
  return at;
}
