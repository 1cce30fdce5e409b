/** What was changed over the yard's interface, to be undone and done again. */
import type { HistoryStep, NextSteps, YardApi } from "../api/api.ts";
import { problemText } from "../api/problem.ts";
import { Store } from "../state/store.ts";

/** What was one thing for whoever did it, though it may be several steps. */
interface Deed {
  readonly title: string;
}

export class History {
  /** The steps that are next. */
  readonly next = new Store<NextSteps>({ undo: null, redo: null });
  /** What was done from this page, in its own words. */
  readonly #deeds = new Map<number, Deed>();
  #isMoving = false;

  constructor(
    private readonly api: YardApi,
    private readonly notice: Store<string>,
  ) {}

  /** The number of the last step that is done; 0: there is none. */
  last(): number {
    return this.next.get().undo?.id ?? 0;
  }

  /** A step in words. */
  title({ id, what }: HistoryStep): string {
    return this.#deeds.get(id)?.title ?? what;
  }

  /** Gives all that was done since a step one name: it is undone at once, too. */
  async name(title: string, since: number): Promise<void> {
    const next = await this.api.history();
    const deed = { title };
    for (let id = since + 1; id <= (next.undo?.id ?? 0); id++) this.#deeds.set(id, deed);
    this.next.set(next);
  }

  /** Takes the last change back, or makes again what was taken back last. */
  async move(way: "undo" | "redo"): Promise<void> {
    const step = this.next.get()[way];
    if (step === null || this.#isMoving) return;
    this.#isMoving = true;
    const [deed, title] = [this.#deeds.get(step.id), this.title(step)];
    try {
      await this.#moveWhile(way, ({ id }) => id === step.id || (deed !== undefined && this.#deeds.get(id) === deed));
      this.notice.set(way === "undo" ? `Undone: ${title}` : `Done again: ${title}`);
    } catch (thrown) {
      this.notice.set(`${way === "undo" ? "Not undone" : "Not done again"}: ${problemText(thrown)}`);
    }
    this.#isMoving = false;
  }

  /** Takes back all that was done since a step. @throws ApiError */
  async undoSince(since: number): Promise<void> {
    this.next.set(await this.api.history());
    await this.#moveWhile("undo", ({ id }) => id > since);
  }

  async #moveWhile(way: "undo" | "redo", isMeant: (step: HistoryStep) => boolean): Promise<void> {
    for (let step = this.next.get()[way]; step !== null && isMeant(step); step = this.next.get()[way]) {
      await this.api.post(`/${way}?step=${step.id}`, {});
      this.next.set(await this.api.history());
    }
  }
}
