import { CancelledError, ClosedError, type OvsdbError, TimeoutError } from "./errors.ts";
import type { WaitOptions } from "./types.ts";

/** The end of somebody's patience: a caller's signal, a timeout, or the database's close. Cheap: each transaction has one. */
export class Limit implements Disposable {
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  readonly #among: Set<Limit>;
  readonly #listeners = new Set<(cause: OvsdbError) => void>();
  #cause: OvsdbError | undefined;

  /**
   * @param doing what is waited for, for the messages
   * @param among where to be as long as it is not over, to be ended together with others
   */
  constructor(
    private readonly doing: string,
    options: WaitOptions,
    defaultTimeout: number | undefined,
    among: Set<Limit>,
  ) {
    this.#among = among;
    among.add(this);
    const timeout = options.timeout ?? defaultTimeout;
    if (timeout !== undefined && Number.isFinite(timeout))
      this.#timer = setTimeout(() => this.end(new TimeoutError(`${doing} took more than ${timeout} ms`)), timeout);
    const signal = options.signal;
    if (signal === undefined) return;
    this.#signal = signal;
    this.#onAbort = () => this.end(new CancelledError(`${doing} was cancelled`, { cause: signal.reason }));
    signal.addEventListener("abort", this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  /** Why it is over, if it is. */
  get cause(): OvsdbError | undefined {
    return this.#cause;
  }

  /** Calls back when it is over; not when it is already. */
  listen(listener: (cause: OvsdbError) => void): void {
    this.#listeners.add(listener);
  }

  unlisten(listener: (cause: OvsdbError) => void): void {
    this.#listeners.delete(listener);
  }

  end(cause: OvsdbError = new ClosedError(`${this.doing} ended: the database was closed`)): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#among.delete(this);
    for (const listener of [...this.#listeners]) listener(cause);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#among.delete(this);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}
