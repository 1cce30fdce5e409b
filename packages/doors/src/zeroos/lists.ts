/** The lists that clients read results and output from: what a Redis would hold of them. */

interface List {
  readonly items: Buffer[];
  bytes: number;
  /** `performance.now()` at which it goes; undefined: it stays. */
  ends: number | undefined;
  timer: Timer | undefined;
}

/** One who waits for an item. */
interface Waiter {
  readonly keys: readonly string[];
  /** Takes it, or leaves it there for the next who asks. */
  readonly end: "first" | "last" | "rotate";
  readonly give: (key: string, item: Buffer) => void;
}

/** Bytes that a list costs beside its items. */
const OVERHEAD = 256;

export class Lists implements Disposable {
  readonly #lists = new Map<string, List>();
  readonly #waiters = new Set<Waiter>();
  #bytes = 0;

  /** What all lists hold, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds an item at a list's end, which keeps the last `most`.
   *
   * @param life milliseconds from now on that the list is kept; undefined: until {@link expire}
   */
  push(key: string, item: Buffer, { most, life }: { readonly most?: number; readonly life?: number } = {}): void {
    const list = this.#lists.get(key) ?? this.#made(key);
    list.items.push(item);
    this.#weigh(list, item.length);
    while (most !== undefined && list.items.length > most) this.#weigh(list, -(list.items.shift()?.length ?? 0));
    if (life !== undefined) this.expire(key, life);
    this.#serve(key);
  }

  /** Lets a list go after that many milliseconds. */
  expire(key: string, life: number): void {
    const list = this.#lists.get(key);
    if (list === undefined) return;
    clearTimeout(list.timer);
    list.ends = performance.now() + life;
    list.timer = setTimeout(() => this.#remove(key), life);
    list.timer.unref();
  }

  has(key: string): boolean {
    return this.#lists.has(key);
  }

  /** Milliseconds that it still has; "for ever", or undefined where there is none. */
  left(key: string): number | "for ever" | undefined {
    const list = this.#lists.get(key);
    if (list === undefined) return undefined;
    return list.ends === undefined ? "for ever" : Math.max(0, list.ends - performance.now());
  }

  items(key: string): readonly Buffer[] {
    return this.#lists.get(key)?.items ?? [];
  }

  /** Takes the first or last item, or reads the last and leaves it as the first. */
  take(key: string, end: Waiter["end"]): Buffer | undefined {
    const list = this.#lists.get(key);
    if (list === undefined) return undefined;
    const item = end === "first" ? list.items.shift() : list.items.pop();
    if (item === undefined) return undefined;
    if (end === "rotate") list.items.unshift(item);
    else this.#weigh(list, -item.length);
    if (list.items.length === 0) this.#remove(key);
    return item;
  }

  /**
   * Takes from the first of these lists that has an item, or waits for one.
   *
   * @param limit milliseconds
   * @param signal ends the wait, too
   * @returns undefined when it was ended
   */
  wait(
    keys: readonly string[],
    end: Waiter["end"],
    limit: number,
    signal: AbortSignal,
  ): Promise<{ readonly key: string; readonly item: Buffer } | undefined> {
    for (const key of keys) {
      const item = this.take(key, end);
      if (item !== undefined) return Promise.resolve({ key, item });
    }
    return new Promise((resolve) => {
      const settle = (taken?: { readonly key: string; readonly item: Buffer }) => {
        this.#waiters.delete(waiter);
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        resolve(taken);
      };
      const stop = () => settle();
      const timer = setTimeout(stop, limit);
      const waiter: Waiter = { keys, end, give: (key, item) => settle({ key, item }) };
      this.#waiters.add(waiter);
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
    });
  }

  /** Gives what has come to those who wait, the longest first. */
  #serve(key: string): void {
    for (const waiter of this.#waiters) {
      if (!waiter.keys.includes(key)) continue;
      const item = this.take(key, waiter.end);
      if (item === undefined) return;
      waiter.give(key, item);
    }
  }

  #made(key: string): List {
    const list: List = { items: [], bytes: 0, ends: undefined, timer: undefined };
    this.#lists.set(key, list);
    this.#weigh(list, OVERHEAD + key.length);
    return list;
  }

  #weigh(list: List, bytes: number): void {
    list.bytes += bytes;
    this.#bytes += bytes;
  }

  #remove(key: string): void {
    const list = this.#lists.get(key);
    if (list === undefined) return;
    clearTimeout(list.timer);
    this.#lists.delete(key);
    this.#bytes -= list.bytes;
  }

  [Symbol.dispose](): void {
    for (const key of [...this.#lists.keys()]) this.#remove(key);
  }
}
