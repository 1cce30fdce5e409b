import type { Failure } from "./blame.ts";

/** A nic that has no address yet, though it shall get one from others. */
export interface Awaited {
  readonly id: string;
  /** The name of its node. */
  readonly node: string;
  /** Milliseconds that it may take; 0: it is known already that it will not be. */
  readonly limit: number;
  readonly failure: () => Failure;
}

/** What there is to say of them. */
export interface Verdict {
  /** Names of the nodes with one that may yet get its address in time. */
  readonly waiting: Set<string>;
  readonly failures: readonly Failure[];
}

/** Since when each nic has been without its address; none in time is its failure. */
export class LeaseDeadlines implements Disposable {
  readonly #began = new Map<string, number>();
  readonly #onDue: () => void;
  #timer: Timer | undefined;

  /** @param onDue called when another one has had its time */
  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  look(awaited: readonly Awaited[]): Verdict {
    const now = performance.now();
    const present = new Set(awaited.map(({ id }) => id));
    for (const id of this.#began.keys()) if (!present.has(id)) this.#began.delete(id);
    const waiting = new Set<string>();
    const failures: Failure[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const { id, node, limit, failure } of awaited) {
      const began = this.#began.get(id) ?? now;
      this.#began.set(id, began);
      if (began + limit <= now) failures.push(failure());
      else {
        waiting.add(node);
        next = Math.min(next, began + limit);
      }
    }
    clearTimeout(this.#timer);
    if (next < Number.POSITIVE_INFINITY) this.#timer = setTimeout(this.#onDue, Math.ceil(next - now));
    return { waiting, failures };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
