/** Requests that come too fast: a bucket of tokens for each client, which fills with time. */
export class RateLimit {
  readonly #buckets = new Map<string, { level: number; at: number }>();

  /**
   * @param perSecond how fast a bucket fills; 0: there is no limit
   * @param burst how much it holds
   */
  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
  ) {}

  /**
   * Takes one from a client's bucket.
   *
   * @param now milliseconds
   * @returns 0, or the seconds after which there will be one again
   */
  take(client: string, now: number): number {
    if (this.perSecond === 0) return 0;
    const bucket = this.#filled(client, now);
    if (bucket.level < 1) return Math.max(1, Math.ceil((1 - bucket.level) / this.perSecond));
    bucket.level--;
    return 0;
  }

  #filled(client: string, now: number): { level: number; at: number } {
    const { level, at } = this.#buckets.get(client) ?? { level: this.burst, at: now };
    const bucket = { level: Math.min(this.burst, level + ((now - at) / 1_000) * this.perSecond), at: now };
    // A full bucket says nothing; those of clients who came long ago would only be kept for ever.
    if (this.#buckets.size > MOST)
      for (const [name, { level: left, at: then }] of this.#buckets)
        if (left + ((now - then) / 1_000) * this.perSecond >= this.burst) this.#buckets.delete(name);
    this.#buckets.set(client, bucket);
    return bucket;
  }
}

/** Clients that are remembered before full buckets are forgotten. */
const MOST = 10_000;
