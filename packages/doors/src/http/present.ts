import type { Store } from "@switchyard/yard/store";
import type { YardView } from "@switchyard/yard/view";
import { currentView } from "@switchyard/yard/view/store";

/** A yard as its database has it now, looked at once for each change. */
export class Present implements Disposable {
  #view: YardView | undefined;
  readonly #subscription: Disposable;

  constructor(
    private readonly yard: string,
    private readonly store: Store,
  ) {
    this.#subscription = store.db.subscribe(() => {
      this.#view = undefined;
    });
  }

  get view(): YardView {
    this.#view ??= currentView(this.yard, this.store);
    return this.#view;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}
