import { useCallback, useSyncExternalStore } from "react";

/** A value that changes, and whoever wants to know. */
export class Store<S> {
  readonly #listeners = new Set<() => void>();
  #state: S;

  constructor(state: S) {
    this.#state = state;
  }

  get = (): S => this.#state;

  set = (state: S): void => {
    if (Object.is(state, this.#state)) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  };

  update = (change: (state: S) => S): void => this.set(change(this.#state));

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

/** What `select` finds in a store; rendered again when that, and not merely the store, is another. */
export function useStore<S, T>(store: Store<S>, select: (state: S) => T): T {
  const snapshot = useCallback(() => select(store.get()), [store, select]);
  return useSyncExternalStore(store.subscribe, snapshot);
}
