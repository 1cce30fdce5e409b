import { CancelledError, ClosedError, type OvsdbError, TimeoutError } from "./errors.ts";
import type { WaitOptions } from "./types.ts";

/** The end of somebody's patience: a caller's signal, a timeout, or the database's close. */
export class Limit implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #parent: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #cause: OvsdbError | undefined;

  /** @param doing what is waited for, for the message */
  constructor(
    private readonly doing: string,
    options: WaitOptions,
    defaultTimeout: number | undefined,
  ) {
    const timeout = options.timeout ?? defaultTimeout;
    this.#parent = options.signal;
    this.#onAbort = () => this.end(new CancelledError(`${doing} was cancelled`, { cause: this.#parent?.reason }));
    if (timeout !== undefined && Number.isFinite(timeout))
      this.#timer = setTimeout(() => this.end(new TimeoutError(`${doing} took more than ${timeout} ms`)), timeout);
    this.#parent?.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#parent?.aborted) this.#onAbort();
  }

  /** Why it is over, if it is. */
  get cause(): OvsdbError | undefined {
    return this.#cause;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(cause: OvsdbError = new ClosedError(`${this.doing} ended: the database was closed`)): void {
    this.#cause ??= cause;
    this.#controller.abort(this.#cause);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener("abort", this.#onAbort);
  }
}
