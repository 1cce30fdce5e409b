/** How much passes nics, as it does: from the counters of the switch's ports. */
import type { Counters, CountersWatch } from "@switchyard/vswitch";
import type { NodeView } from "@switchyard/yard/view";

/** What has passed nics since the last time, a second: bits, frames, and frames dropped. */
export interface Rates {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** By `node:nic`, of those that anything passes or has until now. `out` is what the node sends. */
  readonly nics: Readonly<Record<string, NicRates>>;
}

interface NicRates {
  readonly outBits: number;
  readonly inBits: number;
  readonly outFrames: number;
  readonly inFrames: number;
  readonly dropped: number;
}

const NONE: NicRates = { outBits: 0, inBits: 0, outFrames: 0, inFrames: 0, dropped: 0 };

/** Watches counters while somebody listens. */
export class Traffic {
  readonly #listeners = new Set<(rates: Rates) => void>();
  #watch: Promise<CountersWatch | undefined> | undefined;
  #before: { readonly at: number; readonly counters: ReadonlyMap<string, Counters> } | undefined;
  /** What is told to have traffic. */
  #busy: ReadonlySet<string> = new Set();

  /**
   * @param open begins to watch; told of all counters each second
   * @param nodes whose ports they are
   */
  constructor(
    private readonly open: (
      listener: (counters: ReadonlyMap<string, Counters>) => void,
    ) => Promise<CountersWatch | undefined>,
    private readonly nodes: () => readonly NodeView[],
  ) {}

  listen(listener: (rates: Rates) => void): Disposable {
    this.#listeners.add(listener);
    this.#watch ??= this.open((counters) => this.#read(counters)).then((watch) => {
      // The next listener finds the switch running, perhaps.
      if (watch === undefined) this.#watch = undefined;
      return watch;
    });
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(listener);
        if (this.#listeners.size === 0) this[Symbol.asyncDispose]().catch(() => {});
      },
    };
  }

  #read(counters: ReadonlyMap<string, Counters>): void {
    const at = Date.now();
    const before = this.#before;
    const seconds = before === undefined ? 0 : (at - before.at) / 1_000;
    this.#before = { at, counters };
    if (before === undefined || seconds <= 0) return;
    const nics: Record<string, NicRates> = {};
    const busy = new Set<string>();
    for (const node of this.nodes())
      for (const { name, port } of node.nics) {
        const rates = ratesOf(before.counters.get(port), counters.get(port), seconds);
        const key = `${node.name}:${name}`;
        if (rates !== undefined) busy.add(key);
        if (rates !== undefined || this.#busy.has(key)) nics[key] = rates ?? NONE;
      }
    this.#busy = busy;
    if (Object.keys(nics).length === 0) return;
    for (const listener of this.#listeners) listener({ at, nics });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    this.#before = undefined;
    await (await watch)?.[Symbol.asyncDispose]();
  }
}

/** Undefined when nothing has passed. */
export function ratesOf(
  before: Counters | undefined,
  now: Counters | undefined,
  seconds: number,
): NicRates | undefined {
  if (before === undefined || now === undefined) return undefined;
  // A port that was made anew begins at nothing.
  const rate = (of: (counters: Counters) => number) => Math.max(0, of(now) - of(before)) / seconds;
  const rates = {
    outBits: rate(({ rxBytes }) => rxBytes * 8),
    inBits: rate(({ txBytes }) => txBytes * 8),
    outFrames: rate(({ rxPackets }) => rxPackets),
    inFrames: rate(({ txPackets }) => txPackets),
    dropped: rate(({ rxDropped, txDropped }) => rxDropped + txDropped),
  };
  return Object.values(rates).some((value) => value > 0) ? rates : undefined;
}
