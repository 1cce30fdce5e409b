/** Changes undone, and done again. */
import { YardError } from "@switchyard/base";
import {
  type Changed,
  changesBetween,
  type Declared,
  declarationOf,
  restore,
  type Store,
  waitApplied,
} from "@switchyard/yard/store";
import { z } from "zod";
import { changeQuery, placeOf, preview, withAgent } from "../change.ts";
import type { Site } from "../ground.ts";
import type { History, HistoryStep, TextEdit, Way } from "../history.ts";
import { type Call, json, type Operation } from "../operation.ts";
import * as shapes from "../shapes.ts";
import { etagOf, readText, removeText, stageText } from "../texts.ts";

const tag = "history";

const query = changeQuery.extend({
  step: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe("The id of the step that is meant: when another one is next by now, the request is refused."),
});

export const histories: readonly Operation[] = [
  json({
    id: "getHistory",
    method: "GET",
    path: "/history",
    role: "read",
    tag,
    summary: "What was changed over this interface, by whom and when; the oldest first.",
    reply: z.strictObject({
      steps: z.array(shapes.historyStep),
      undo: z.union([z.int(), z.null()]).describe("The id of the step that would be undone."),
      redo: z.union([z.int(), z.null()]).describe("The id of the step that would be done again."),
    }),
    handle: ({ site: { history } }) => {
      const { steps, done } = history.all();
      return {
        steps: steps.map((step) => stepView(step, step.id > done)),
        undo: steps.findLast(({ id }) => id <= done)?.id ?? null,
        redo: steps.find(({ id }) => id > done)?.id ?? null,
      };
    },
  }),
  json({
    id: "undo",
    method: "POST",
    path: "/undo",
    role: "operate",
    tag,
    summary:
      "Undo the last change: what it has changed is again as it was before. Refused when that has changed since.",
    query,
    reply: shapes.historyReply,
    handle: (call) => move(call, "undo"),
  }),
  json({
    id: "redo",
    method: "POST",
    path: "/redo",
    role: "operate",
    tag,
    summary: "Do again what was undone last.",
    query,
    reply: shapes.historyReply,
    handle: (call) => move(call, "redo"),
  }),
];

/** What would be undone, and what done again, as events tell it. */
export function nextSteps(history: History) {
  const [undo, redo] = [history.next("undo"), history.next("redo")];
  return { undo: undo ? stepView(undo, false) : null, redo: redo ? stepView(redo, true) : null };
}

function stepView({ id, at, who, what, edits, text }: HistoryStep, undone: boolean): shapes.HistoryStep {
  const changes: Record<"added" | "changed" | "removed", Changed[]> = { added: [], changed: [], removed: [] };
  for (const { before, after } of edits) {
    const it = before ?? after;
    if (it === null || it.what === "lab") continue;
    const list = before === null ? changes.added : after === null ? changes.removed : changes.changed;
    list.push({ what: it.what, name: it.name });
  }
  const { added, changed, removed } = changes;
  const told = { added: sorted(added), changed: sorted(changed), removed: sorted(removed) };
  return { id, at, who, what, changes: told, text: text?.lab ?? null, undone };
}

/** The rows of a database have no order. */
function sorted(list: readonly Changed[]): Changed[] {
  const text = ({ what, name }: Changed) => `${what} ${name}`;
  return list.toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
}

async function move(
  {
    site,
    principal,
    query: { dry_run, step: wanted },
  }: Pick<Call<z.infer<typeof query>>, "site" | "principal" | "query">,
  way: Way,
): Promise<shapes.HistoryReply> {
  // What is left of the rows of a yard that has gone is not acted on.
  site.view();
  const began = performance.now();
  const to = way === "undo" ? "before" : "after";
  const compared = async (store: Store, step: HistoryStep) => {
    const before = declarationOf(store.db);
    const declared: Declared = await restore(
      store,
      step.edits,
      to,
      placeOf(site),
      dry_run ? {} : { signal: site.signal },
    );
    const { added, changed, removed } = changesBetween(before, declarationOf(store.db));
    return { declared, changes: { added: sorted(added), changed: sorted(changed), removed: sorted(removed) } };
  };
  const milliseconds = () => Math.round(performance.now() - began);
  if (dry_run) {
    const step = site.history.theNext(way, wanted);
    checkText(step.text, to);
    let changes: shapes.HistoryReply["changes"] = { added: [], changed: [], removed: [] };
    const plan = await preview(site, async (store) => {
      changes = (await compared(store, step)).changes;
    });
    const text = step.text?.[to] ?? null;
    return {
      step: stepView(step, way === "redo"),
      cfg: null,
      changes,
      failures: [],
      plan,
      text,
      milliseconds: milliseconds(),
    };
  }
  return await withAgent(site, async (died) => {
    const { step, declared, changes } = await site.history.alone(async () => {
      const next = site.history.theNext(way, wanted);
      checkText(next.text, to);
      using staged = stagedText(site, next.text, to);
      const restored = await compared(site.store, next);
      staged?.commit();
      site.history.moved(way, next);
      return { step: next, ...restored };
    });
    site.log.info({ who: principal.name, what: `${way} ${step.what}` }, "the history has moved");
    const { failures } = await Promise.race([waitApplied(site.store, declared.cfg, scopeOf(step, site)), died]);
    return {
      step: stepView(step, way === "undo"),
      cfg: declared.cfg,
      changes,
      failures: failures.map((failure) => ({ ...failure })),
      plan: null,
      text: step.text?.[to] ?? null,
      milliseconds: milliseconds(),
    };
  });
}

/** @throws YardError `history.outdated` when a lab's file is neither as it was before the step nor as it was after */
function checkText(text: TextEdit | null, to: "before" | "after"): void {
  if (text === null) return;
  const now = readText(text.file) ?? null;
  if (now === text.before || now === text.after) return;
  throw new YardError("history.outdated", `the text of lab ${text.lab} has changed since`, {
    hint: `make the change that you want in the text as it is${to === "after" ? "" : "; the history keeps what it was"}`,
    where: text.file,
  });
}

/** The file of a lab as it is to be, not yet in its place. */
function stagedText(site: Site, text: TextEdit | null, to: "before" | "after") {
  const wanted = text?.[to];
  if (text === null || wanted === undefined) return undefined;
  const staged = wanted === null ? removeText(site.paths, text.file) : stageText(site.paths, text.file, wanted);
  return {
    commit: () => {
      staged.commit();
      site.feed.tellText(text.lab, wanted === null ? null : etagOf(wanted));
    },
    [Symbol.dispose]: () => staged[Symbol.dispose](),
  };
}

/** Those whom a step is about. */
function scopeOf({ edits }: HistoryStep, { signal }: Site) {
  const of = (what: string) =>
    edits.flatMap(({ before, after }) => ((before ?? after)?.what === what ? [(before ?? after)?.name ?? ""] : []));
  return { nodes: of("node"), networks: of("network"), bridges: of("bridge"), signal };
}
