/** What was changed over this interface, step by step, so that it can be undone and done again. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { backoff, delay, YardError } from "@switchyard/base";
import { lockFile } from "@switchyard/linux";
import type { YardPaths } from "@switchyard/yard/paths";
import { type Edit, edit, Snapshot, type Store, thingText } from "@switchyard/yard/store";
import { z } from "zod";

/** Steps that are kept, and bytes of them. */
const MOST_STEPS = 50;
const MOST_BYTES = 64 << 20;
/** Milliseconds within which the movements of one slider are one step. */
const MERGE = 10_000;

/** What has become of the file of a lab; null: it was not there. */
const textEdit = z.strictObject({
  lab: z.string(),
  file: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
});
export type TextEdit = z.infer<typeof textEdit>;

const stepSchema = z.strictObject({
  id: z.int().min(1),
  at: z.iso.datetime(),
  who: z.string(),
  what: z.string(),
  edits: z.array(edit),
  text: textEdit.nullable(),
});
export type HistoryStep = z.infer<typeof stepSchema>;

/** Of the steps, the last one that is done, and the last that there ever was: no id is used twice. */
const position = z.strictObject({ done: z.int().min(0), last: z.int().min(0) });
type Position = z.infer<typeof position>;

export type Way = "undo" | "redo";

/** What is done, in words, and by whom. */
export interface Deed {
  readonly who: string;
  readonly what: string;
  /** It goes on with the last step, where that was the same deed a moment ago. */
  readonly merge?: boolean;
}

/** A change that has been noted. */
export interface Noted<R> {
  readonly result: R;
  /** Takes the note back: the change was withdrawn. */
  forget(): Promise<void>;
}

/**
 * The history of a yard: a folder among what the yard keeps, a file for each step, and one for which of them are done.
 * It goes with the yard. Changes are made one at a time, so that each knows what it has changed.
 */
export class History {
  readonly #folder: string;
  readonly #lock: string;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param onChange told when another step is the one to be undone, or done again */
  constructor(
    { state, run }: Pick<YardPaths, "state" | "run">,
    private readonly store: Store,
    private readonly signal: AbortSignal,
    private readonly onChange: () => void,
  ) {
    this.#lock = join(run, "http.lock");
    this.#folder = join(state, "history");
  }

  /** Does one thing after the other, whichever server of the yard is asked. The yard runs. */
  alone<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#turn.then(() => this.#locked(work));
    this.#turn = result.catch(() => {});
    return result;
  }

  /** There is no event of a lock that is given up. */
  async #locked<R>(work: () => Promise<R>): Promise<R> {
    for (const wait of backoff(5, 200)) {
      using lock = lockFile(this.#lock);
      if (lock !== undefined) return await work();
      await delay(wait, this.signal);
    }
    throw new YardError("internal.unexpected", "the wait for another server ended by itself");
  }

  /**
   * Makes a change and notes what it has changed; what had been undone before can then not be done again.
   *
   * @param write gives what has become of a lab's file beside
   */
  note<R>(deed: Deed, write: () => Promise<{ readonly result: R; readonly text?: TextEdit }>): Promise<Noted<R>> {
    return this.alone(async () => {
      const before = new Snapshot(this.store.db);
      const { result, text } = await write();
      const edits = before.editsTo(new Snapshot(this.store.db));
      const changed = text !== undefined && text.before !== text.after ? text : null;
      if (edits.length === 0 && changed === null) return { result, forget: async () => {} };
      const id = this.#keep(deed, edits, changed);
      return { result, forget: () => this.alone(async () => this.#drop(id, edits)) };
    });
  }

  /** All steps, the oldest first, and the id of the last one that is done; 0: none is. */
  all(): { readonly steps: readonly HistoryStep[]; readonly done: number } {
    const steps = this.#ids().flatMap((id) => this.#read(id) ?? []);
    return { steps, done: this.#done() };
  }

  /** The step that would be undone, or done again. */
  next(way: Way): HistoryStep | undefined {
    const done = this.#done();
    const ids = this.#ids();
    const inOrder = way === "undo" ? ids.filter((it) => it <= done).toReversed() : ids.filter((it) => it > done);
    for (const id of inOrder) {
      const step = this.#read(id);
      if (step !== undefined) return step;
    }
    return undefined;
  }

  /**
   * The same, which must be there.
   *
   * @param wanted its id, as the client knows it
   * @throws YardError `history.nothing`, `history.moved-on`
   */
  theNext(way: Way, wanted: number | undefined): HistoryStep {
    const step = this.next(way);
    if (step === undefined)
      throw new YardError("history.nothing", way === "undo" ? "there is nothing to undo" : "nothing has been undone", {
        hint: "GET /api/v1/history tells what can be undone; what commands have changed cannot",
      });
    if (wanted === undefined || wanted === step.id) return step;
    throw new YardError("history.moved-on", `the step to ${way} is ${step.id} by now: ${step.what}`, {
      hint: "look at its plan, and ask again",
    });
  }

  /** Notes that a step has been undone, or done again. */
  moved(way: Way, { id }: HistoryStep): void {
    const before = this.#ids().findLast((it) => it < id) ?? 0;
    this.#setDone(way === "undo" ? before : id);
  }

  #keep(deed: Deed, edits: readonly Edit[], text: TextEdit | null): number {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const done = this.#done();
    for (const id of this.#ids()) if (id > done) rmSync(this.#file(id), { force: true });
    const last = done === 0 ? undefined : this.#read(done);
    const at = new Date();
    const { who, what, merge } = deed;
    const same = merge && last?.who === who && last.what === what && at.getTime() - Date.parse(last.at) < MERGE;
    const step: HistoryStep =
      same && last.text === null && text === null
        ? { ...last, at: at.toISOString(), edits: merged(last.edits, edits) }
        : { id: this.#position().last + 1, at: at.toISOString(), who, what, edits: [...edits], text };
    this.#write(step);
    this.#prune();
    this.#setDone(step.id);
    return step.id;
  }

  /** Takes a note back, or of one that others were merged with what it noted last. */
  #drop(id: number, edits: readonly Edit[]): void {
    const step = this.#read(id);
    if (step === undefined) return;
    const left = merged(
      step.edits,
      edits.map(({ before, after }) => ({ before: after, after: before })),
    );
    if (left.length > 0 && step.text === null) {
      this.#write({ ...step, edits: left });
      return;
    }
    rmSync(this.#file(id), { force: true });
    if (this.#done() === id) this.#setDone(this.#ids().findLast((it) => it < id) ?? 0);
  }

  #write(step: HistoryStep): void {
    this.#replace(this.#file(step.id), JSON.stringify(step));
  }

  #replace(file: string, text: string): void {
    try {
      writeFileSync(`${file}.new`, text, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (cause) {
      throw new YardError("yard.file-failed", `${file} cannot be written`, { cause });
    }
  }

  /** The oldest go. */
  #prune(): void {
    let bytes = 0;
    for (const [at, id] of this.#ids().toReversed().entries()) {
      bytes += statSync(this.#file(id)).size;
      if (at > 0 && (at >= MOST_STEPS || bytes > MOST_BYTES)) rmSync(this.#file(id), { force: true });
    }
  }

  #ids(): number[] {
    try {
      const names = readdirSync(this.#folder).flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? []);
      return names.map(Number).toSorted((a, b) => a - b);
    } catch {
      // Nothing has been changed yet in this yard.
      return [];
    }
  }

  /** One that this version cannot read is none. */
  #read(id: number): HistoryStep | undefined {
    try {
      return stepSchema.parse(JSON.parse(readFileSync(this.#file(id), "utf8")));
    } catch {
      return undefined;
    }
  }

  #file(id: number): string {
    return join(this.#folder, `${id}.json`);
  }

  #done(): number {
    return this.#position().done;
  }

  #position(): Position {
    try {
      return position.parse(JSON.parse(readFileSync(join(this.#folder, "position"), "utf8")));
    } catch {
      // Were it none that is done, the next change would remove all as undone.
      const last = this.#ids().at(-1) ?? 0;
      return { done: last, last };
    }
  }

  #setDone(done: number): void {
    const last = Math.max(this.#position().last, done);
    this.#replace(join(this.#folder, "position"), JSON.stringify({ done, last }));
    this.onChange();
  }
}

/** Two changes, one after the other, as one; what is in the end as it was is none. */
function merged(first: readonly Edit[], second: readonly Edit[]): Edit[] {
  const keyOf = ({ before, after }: Edit) => `${(before ?? after)?.what} ${(before ?? after)?.name}`;
  const all = new Map(first.map((it) => [keyOf(it), it]));
  for (const it of second) all.set(keyOf(it), { before: (all.get(keyOf(it)) ?? it).before, after: it.after });
  return [...all.values()].filter(({ before, after }) => thingText(before) !== thingText(after));
}
