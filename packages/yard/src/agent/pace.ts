import { backoff } from "@switchyard/base";

/** Milliseconds that changes of the kernel are collected before they are looked at. */
const SETTLE = 50;

/** Milliseconds until what failed is tried again: at first, and at most. */
const RETRY = [500, 60_000] as const;

/** How a convergence has ended. */
export interface Ending {
  /** Whether anything new was asked for. */
  readonly asked: boolean;
  /** How many steps it took. */
  readonly steps: number;
  /** Whether something failed, or is waited for that no event tells of. */
  readonly unfinished: boolean;
}

/** When the agent converges: at once, when changes have settled, and again after a while where something failed. */
export class Pace implements Disposable {
  #wake = Promise.withResolvers<void>();
  #settling: Timer | undefined;
  /** While it converges: whether anything has changed since it began, which most often is its own doing. */
  #meanwhile: boolean | undefined;
  #retry: Timer | undefined;
  #retries = backoff(...RETRY);
  /** How often in a row something had to be done though nothing new was asked for. */
  #unsettled = 0;

  /** Converges at once. */
  now(): void {
    this.#wake.resolve();
  }

  /** Converges once the changes that are going on have settled: ever later while somebody undoes what we do. */
  changed(): void {
    if (this.#meanwhile !== undefined) {
      this.#meanwhile = true;
      return;
    }
    this.#settling ??= setTimeout(
      () => {
        this.#settling = undefined;
        this.now();
      },
      SETTLE * 2 ** Math.min(this.#unsettled, 10),
    );
  }

  /** Converges after a while, longer each time: for what failed, and where no event tells that it would succeed. */
  again(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.now();
    }, this.#retries.next().value);
  }

  /** Waits until it is time. */
  get due(): Promise<void> {
    return this.#wake.promise;
  }

  /** A convergence begins, which sees all that is so by now. */
  begin(): void {
    this.#wake = Promise.withResolvers();
    clearTimeout(this.#settling);
    this.#settling = undefined;
    this.#meanwhile = false;
  }

  /** It is over, however it went: what has changed since it began is looked at soon. */
  end(): void {
    const changed = this.#meanwhile;
    this.#meanwhile = undefined;
    if (changed) this.changed();
  }

  /** It has come to its end. */
  converged({ asked, steps, unfinished }: Ending): void {
    if (asked || steps === 0) this.#unsettled = 0;
    else this.#unsettled++;
    if (asked) this.#renewRetries();
    if (unfinished) this.again();
    else if (steps === 0) this.#renewRetries();
  }

  /** Begins the delays between attempts anew. */
  #renewRetries(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#retries = backoff(...RETRY);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#settling);
    clearTimeout(this.#retry);
  }
}
