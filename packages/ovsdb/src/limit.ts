import { CancelledError, ClosedError, type OvsdbError, TimeoutError } from "./errors.ts";
import type { WaitOptions } from "./types.ts";

/**
 * All limits of a database, with one timer for the next of them: each transaction has a limit, and next to none of
 * them ever ends by it.
 */
export class Limits {
  readonly #limits = new Set<Limit>();
  #timer: NodeJS.Timeout | undefined;
  #next = Number.POSITIVE_INFINITY;

  add(limit: Limit): void {
    this.#limits.add(limit);
    if (limit.deadline < this.#next) this.#arm(limit.deadline);
  }

  delete(limit: Limit): void {
    this.#limits.delete(limit);
  }

  endAll(): void {
    for (const limit of [...this.#limits]) limit.end();
    clearTimeout(this.#timer);
  }

  #arm(deadline: number): void {
    clearTimeout(this.#timer);
    this.#next = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    // A fraction of a millisecond early would be too early, and a timer has no fractions.
    const wait = Math.ceil(deadline - performance.now());
    this.#timer = setTimeout(() => this.#due(), Math.min(Math.max(wait, 0), LONGEST_TIMER));
    // With no limit left the timer is of no account, and what waits is kept alive by its connection.
    this.#timer.unref();
  }

  #due(): void {
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const limit of [...this.#limits]) {
      if (limit.deadline <= now) limit.expire();
      else next = Math.min(next, limit.deadline);
    }
    this.#arm(next);
  }
}

/** What setTimeout can hold. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The end of somebody's patience: a caller's signal, a timeout, or the database's close. Cheap: each transaction has one. */
export class Limit implements Disposable {
  /** When it is over, by performance.now(). */
  readonly deadline: number;
  readonly #timeout: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  readonly #among: Limits;
  readonly #listeners: ((cause: OvsdbError) => void)[] = [];
  #cause: OvsdbError | undefined;

  /**
   * @param doing what is waited for, for the messages
   * @param among where to be as long as it is not over, to be ended together with others
   */
  constructor(
    private readonly doing: string,
    options: WaitOptions,
    defaultTimeout: number | undefined,
    among: Limits,
  ) {
    this.#among = among;
    this.#timeout = options.timeout ?? defaultTimeout ?? Number.POSITIVE_INFINITY;
    this.deadline = performance.now() + this.#timeout;
    among.add(this);
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
    this.#listeners.push(listener);
  }

  unlisten(listener: (cause: OvsdbError) => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at !== -1) this.#listeners.splice(at, 1);
  }

  expire(): void {
    this.end(new TimeoutError(`${this.doing} took more than ${this.#timeout} ms`));
  }

  end(cause: OvsdbError = new ClosedError(`${this.doing} ended: the database was closed`)): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#among.delete(this);
    for (const listener of [...this.#listeners]) listener(cause);
  }

  [Symbol.dispose](): void {
    this.#among.delete(this);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}
