import type { Json } from "./json.ts";
import type { Row, Value } from "./value.ts";

/** A row under way, whose columns may be set. */
export type RowInMaking = { [column: string]: Value };

/**
 * A row as a transaction has made it so far. It is worked out only when somebody looks: a writer who adds a thousand
 * elements to a large set, one by one, must not pay for a thousand copies of it.
 */
export class Draft {
  #row: () => Row;
  #steps: ((row: RowInMaking) => void)[] = [];
  #deleted = false;
  /** Columns whose value is the transaction's own, so that nobody need guard them. */
  readonly own = new Set<string>();
  /** Whether a mutation is among the steps. */
  mutated = false;

  /**
   * @param row the row before
   * @param inserted what the row's insert will say, where it is the transaction's own
   */
  constructor(
    row: () => Row,
    readonly inserted: { [column: string]: Json } | undefined,
  ) {
    this.#row = row;
  }

  get deleted(): boolean {
    return this.#deleted;
  }

  /** The row with all steps done; `undefined` once deleted. */
  get row(): Row | undefined {
    if (this.#deleted) return undefined;
    if (this.#steps.length > 0) {
      const row: RowInMaking = { ...this.#row() };
      for (const step of this.#steps) step(row);
      this.#steps = [];
      Object.freeze(row);
      this.#row = () => row;
    }
    return this.#row();
  }

  change(step: (row: RowInMaking) => void): void {
    this.#steps.push(step);
  }

  delete(): void {
    this.#deleted = true;
  }
}
