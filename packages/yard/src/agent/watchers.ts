/** Whoever watches the agent at work: the HTTP interface shows what is being reconciled as it goes. */
import type { Action } from "./action.ts";
import { describe } from "./describe.ts";
import type { Method } from "./socket.ts";

/** The agent has begun to make a state so. */
export interface Planned {
  readonly what: "planned";
  /** The number of the state. */
  readonly cfg: number;
  readonly steps: number;
  /** The first of them, as `yard plan` prints them. */
  readonly first: readonly string[];
}

/** It is through with it. */
export interface Converged {
  readonly what: "converged";
  readonly cfg: number;
  readonly steps: number;
  readonly failures: number;
  /** How long it looked and thought, and how long it took in all. */
  readonly milliseconds: { readonly plan: number; readonly all: number };
}

export type Work = Planned | Converged;

/** Steps that are told of one plan. */
const MOST = 100;

export class Watchers {
  readonly #told = new Set<(work: Work) => void>();

  methods(): { readonly watch: Method } {
    return {
      /** Tells each piece of work until the client leaves. */
      watch: (_params, tell, gone) => {
        this.#told.add(tell);
        return new Promise<void>((resolve) =>
          gone.addEventListener(
            "abort",
            () => {
              this.#told.delete(tell);
              resolve();
            },
            { once: true },
          ),
        );
      },
    };
  }

  planned(cfg: number, actions: readonly Action[]): void {
    if (this.#told.size === 0 || actions.length === 0) return;
    const first = actions.slice(0, MOST).map(describe);
    this.#tell({ what: "planned", cfg, steps: actions.length, first });
  }

  converged(work: Omit<Converged, "what">): void {
    this.#tell({ what: "converged", ...work });
  }

  #tell(work: Work): void {
    for (const tell of this.#told) tell(work);
  }
}
