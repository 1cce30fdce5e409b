import { asYardError, backoff, delay, type Logger, type YardError } from "@switchyard/base";

/** Milliseconds between attempts: the first, and the most. */
const RETRY = [500, 30_000] as const;

/**
 * Brings a daemon back that has died, for as long as it takes: a full disk or a missing program may be put right at any
 * time, and nothing tells when.
 */
export class Revival {
  #first: Promise<void> | undefined;
  #problem: YardError | undefined;

  constructor(
    private readonly what: string,
    private readonly start: () => Promise<void>,
    private readonly signal: AbortSignal,
    private readonly log: Logger,
    /** It is back, or could not yet be brought back. */
    private readonly onChange: () => void,
  ) {}

  /** Why it is not back. */
  get problem(): YardError | undefined {
    return this.#problem;
  }

  /** Resolves when it is back, or the first attempt has failed; at once when nothing is amiss. */
  get tried(): Promise<void> | undefined {
    return this.#first;
  }

  /** Begins; one that is under way goes on. */
  begin(): void {
    if (this.#first || this.signal.aborted) return;
    this.log.warn(`${this.what} died and is started again`);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#first = promise;
    void this.#untilBack(resolve);
  }

  async #untilBack(tried: () => void): Promise<void> {
    for (const wait of backoff(...RETRY)) {
      try {
        await this.start();
        this.#problem = undefined;
      } catch (thrown) {
        this.#problem = asYardError(thrown, "switch.start-failed");
      }
      tried();
      if (this.signal.aborted) return;
      this.onChange();
      if (this.#problem === undefined) {
        this.#first = undefined;
        return;
      }
      this.log.error({ code: this.#problem.code, error: this.#problem.message }, `${this.what} cannot be brought back`);
      await delay(wait, this.signal).catch(() => {});
      if (this.signal.aborted) return;
    }
  }
}
