import { YardError, YardErrors } from "@switchyard/base";

/** A stretch of the text, in UTF-16 units from its start; `end` is the first one after it. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** Errors told of one file; the rest is only counted. */
const MOST = 100;
/** Columns of an excerpt. */
const WIDE = 100;

/** Gathers what is wrong with a lab file, so that all of it is told at once and in the file's order. */
export class Problems {
  private readonly found: { readonly at: number; readonly error: YardError }[] = [];
  private readonly told = new Set<string>();
  private more = 0;
  private lines: readonly number[] | undefined;

  /** @param file what the file is called in `where` */
  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {}

  get some(): boolean {
    return this.found.length > 0;
  }

  /**
   * Adds the error that `make` returns; it is not called once there are too many. What a `count` or an alias multiplies is
   * told once.
   */
  add(place: Place, make: () => YardError): void {
    if (this.found.length >= MOST) {
      this.more++;
      return;
    }
    const error = make();
    const key = `${place.start} ${error.code}`;
    if (this.told.has(key)) return;
    this.told.add(key);
    error.message = [...error.message].map(visible).join("");
    this.found.push({ at: place.start, error: this.located(place, error) });
  }

  /** The error with its place. */
  located(place: Place, error: YardError): YardError {
    return error.located(this.where(place), this.excerpt(place));
  }

  /** @throws YardErrors if there are any */
  throwIfAny(): void {
    const [first, ...rest] = this.found.toSorted((a, b) => a.at - b.at).map(({ error }) => error);
    if (first === undefined) return;
    if (this.more > 0)
      rest.push(
        new YardError("lab.more-errors", `and ${this.more} more errors, which are not shown`, { where: this.file }),
      );
    throw new YardErrors([first, ...rest]);
  }

  /** @throws YardErrors with what there is, for when there is nothing to go on with */
  refuse(): never {
    this.throwIfAny();
    throw new YardErrors([new YardError("lab.bad-yaml", "the lab file cannot be read", { where: this.file })]);
  }

  /** `file:line:column`, both from 1. */
  where(place: Place): string {
    const { line, column } = this.position(place.start);
    return `${this.file}:${line}:${column}`;
  }

  private position(offset: number): { line: number; start: number; column: number } {
    this.lines ??= lineStarts(this.text);
    let low = 0;
    let high = this.lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.lines[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const start = this.lines[low] ?? 0;
    return { line: low + 1, start, column: [...this.text.slice(start, offset)].length + 1 };
  }

  /** The line with carets under the place; of a long line the part around it. */
  private excerpt(place: Place): string {
    const { line, start, column } = this.position(place.start);
    const newline = this.text.indexOf("\n", start);
    const characters = [...this.text.slice(start, newline < 0 ? undefined : newline)].map(visible);
    const stretch = [...this.text.slice(place.start, Math.max(place.start, place.end))];
    const breaks = stretch.indexOf("\n");
    const length = Math.max(1, Math.min(breaks < 0 ? stretch.length : breaks, characters.length - column + 1));
    const from = characters.length <= WIDE ? 0 : Math.max(0, Math.min(column - 1 - WIDE / 4, characters.length - WIDE));
    const shown = characters
      .slice(from, from + WIDE)
      .join("")
      .trimEnd();
    const [left, right] = [from > 0 ? "…" : "", from + WIDE < characters.length ? "…" : ""];
    const number = String(line);
    const carets = "^".repeat(Math.max(1, Math.min(length, from + WIDE - column + 1)));
    return [
      `${number} | ${left}${shown}${right}`,
      `${" ".repeat(number.length)} | ${" ".repeat(left.length + column - 1 - from)}${carets}`,
    ].join("\n");
  }
}

/** Neither tabs, which would move the caret, nor control characters, which a terminal would obey. */
function visible(character: string): string {
  if (character === "\t") return " ";
  return /\p{C}/u.test(character) ? "\uFFFD" : character;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}
