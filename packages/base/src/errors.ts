/** What may accompany a {@link YardError}. */
export interface ErrorDetails {
  /** What to do about it, in the imperative, for the person who reads it. */
  readonly hint?: string;
  /** The failure underneath, kept whole. */
  readonly cause?: unknown;
  /** Where: a `file:line:column`, a row, a path. */
  readonly where?: string;
  /** The text at fault with a caret under it, several lines, for a terminal's fixed pitch. */
  readonly excerpt?: string;
}

/**
 * A failure with a stable code.
 *
 * The code is `<subject>.<problem>` (`nic.network-unknown`); it never changes meaning once released, is listed with
 * its cause and remedy in `docs/errors.md`, and is what programs match on. The message says what was wrong and what
 * was expected, in one sentence without a final full stop's worth of decoration.
 */
export class YardError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly where: string | undefined;
  readonly excerpt: string | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "YardError";
    this.code = code;
    this.hint = details.hint;
    this.where = details.where;
    this.excerpt = details.excerpt;
  }

  /** The same failure, told with its place: what a reader adds that knows where the words came from. */
  located(where: string, excerpt: string): YardError {
    return new YardError(this.code, this.message, {
      where,
      excerpt,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.cause === undefined ? {} : { cause: this.cause }),
    });
  }

  /** The form that crosses a process boundary: `--json` output, status rows, sockets. */
  toJSON(): { code: string; message: string; hint?: string; where?: string; excerpt?: string } {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.where === undefined ? {} : { where: this.where }),
      ...(this.excerpt === undefined ? {} : { excerpt: this.excerpt }),
    };
  }
}

/** Several failures told at once, as a lab file's reader reports them. Its own code is that of the first. */
export class YardErrors extends YardError {
  readonly errors: readonly YardError[];

  constructor(errors: readonly [YardError, ...YardError[]]) {
    super(errors[0].code, errors.map((error) => error.message).join("\n"));
    this.name = "YardErrors";
    this.errors = errors;
  }
}

/** The name of a system call's error, such as `ENOENT`, as Node's errors have it; undefined for whatever else was thrown. */
export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

/** Whatever was thrown, as a {@link YardError}: itself if it is one, else wrapped under `code`. */
export function asYardError(thrown: unknown, code = "internal.unexpected"): YardError {
  if (thrown instanceof YardError) return thrown;
  if (thrown instanceof Error) return new YardError(code, thrown.message, { cause: thrown });
  return new YardError(code, String(thrown));
}
