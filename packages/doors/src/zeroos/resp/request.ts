import { YardError } from "@switchyard/base";

/** How much one client may send at once. */
export interface RequestLimits {
  /** Bytes of one argument. */
  readonly argument: number;
  /** Bytes of all arguments of one request. */
  readonly request: number;
  /** How many arguments a request has. */
  readonly count: number;
}

/** One who has said who he is. A job with its arguments is one argument. */
export const TRUSTED: RequestLimits = { argument: 4 << 20, request: 8 << 20, count: 1_024 };
/** Everybody else. Redis takes as little from them. */
const UNKNOWN: RequestLimits = { argument: 16 << 10, request: 32 << 10, count: 10 };

/** Bytes of a line: a length, or a command typed by hand. */
const LINE = 4_096;
const CR = 13;
const LF = 10;

/**
 * Takes a client's bytes and gives requests: arrays of bulk strings (the RESP2 specification), or words on a line, as
 * one types them into netcat.
 */
export class RequestReader {
  limits: RequestLimits = UNKNOWN;
  #buffer: Buffer = Buffer.alloc(0);
  readonly #chunks: Buffer[] = [];
  #waiting = 0;
  /** How many bytes there must be before it is worth looking again. */
  #needed = 1;
  #left = 0;
  #arguments: Buffer[] = [];
  #size = 0;
  /** The length of the argument that comes, once its line was read. */
  #length: number | undefined;

  /** @throws YardError `zeroos.bad-request` when that is no request, or a too large one: nothing after it can be read */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
  }

  /** Bytes that were sent and not yet taken. */
  get buffered(): number {
    return this.#buffer.length + this.#waiting;
  }

  /** The next whole request; undefined: more must come. @throws as {@link push} says */
  next(): readonly Buffer[] | undefined {
    if (this.buffered < this.#needed) return undefined;
    if (this.#chunks.length > 0) this.#buffer = Buffer.concat([this.#buffer, ...this.#chunks.splice(0)]);
    this.#waiting = 0;
    for (;;) {
      if (this.#length !== undefined) {
        const argument = this.#takeArgument(this.#length);
        if (argument === undefined) return undefined;
        if (this.#left === 0) return this.#whole();
        continue;
      }
      const line = this.#takeLine();
      if (line === undefined) return undefined;
      if (this.#left > 0) this.#length = this.#argumentLength(line);
      else if (line.startsWith("*")) {
        this.#left = number(line, this.limits.count, "arguments");
        this.#arguments = [];
        this.#size = 0;
      } else {
        const words = line.split(" ").filter((word) => word !== "");
        if (words.length > 0) return words.map((word) => Buffer.from(word));
      }
    }
  }

  #whole(): readonly Buffer[] {
    this.#needed = 1;
    return this.#arguments;
  }

  #argumentLength(line: string): number {
    if (!line.startsWith("$")) throw bad(`an argument begins with $ and its length, not with ${JSON.stringify(line)}`);
    const length = number(line, this.limits.argument, "bytes of an argument");
    this.#size += length;
    if (this.#size > this.limits.request) throw bad(`more than ${this.limits.request} bytes`);
    return length;
  }

  #takeArgument(length: number): Buffer | undefined {
    if (this.#buffer.length < length + 2) {
      this.#needed = length + 2;
      return undefined;
    }
    if (this.#buffer[length] !== CR || this.#buffer[length + 1] !== LF)
      throw bad("an argument is longer than its length says");
    // A copy, so that one short argument does not keep a large buffer alive.
    const argument = Buffer.from(this.#buffer.subarray(0, length));
    this.#buffer = this.#buffer.subarray(length + 2);
    this.#length = undefined;
    this.#arguments.push(argument);
    this.#left--;
    return argument;
  }

  #takeLine(): string | undefined {
    const end = this.#buffer.indexOf(LF);
    if (end < 0) {
      if (this.#buffer.length > LINE) throw bad("a line is too long");
      this.#needed = this.#buffer.length + 1;
      return undefined;
    }
    if (end > LINE) throw bad("a line is too long");
    const line = this.#buffer.subarray(0, end).toString("latin1").replace(/\r$/, "");
    this.#buffer = this.#buffer.subarray(end + 1);
    return line;
  }
}

/** The number behind the first character of a line. */
function number(line: string, most: number, what: string): number {
  const text = line.slice(1);
  if (!/^\d{1,10}$/.test(text)) throw bad(`${JSON.stringify(text)} is no number of ${what}`);
  const value = Number(text);
  if (value > most) throw bad(`${value} ${what} are more than the ${most} that are taken`);
  return value;
}

function bad(message: string): YardError {
  return new YardError("zeroos.bad-request", message);
}
