import { YardError } from "@switchyard/base";
import { initialLab, parseLab, withoutSecrets } from "@switchyard/yard/model";
import {
  changesBetween,
  type Declared,
  declarationOf,
  declareLab,
  rowsOf,
  type Store,
  waitApplied,
  withdrawLabs,
} from "@switchyard/yard/store";
import { findLab } from "@switchyard/yard/view";
import { labJsonSchema } from "@switchyard/yard/written";
import { z } from "zod";
import type { Principal } from "../access.ts";
import { changeQuery, placeOf, preview, withAgent } from "../change.ts";
import type { TextEdit } from "../history.ts";
import { type Call, json, type Operation, raw } from "../operation.ts";
import { problem, problemOf } from "../problem.ts";
import * as shapes from "../shapes.ts";
import { etagOf, keepPrevious, previousText, readText, stageText, storedFile } from "../texts.ts";

const tag = "labs";
const query = changeQuery.extend({
  wait: z
    .enum(["true", "false"])
    .default("true")
    .transform((text) => text === "true")
    .describe("Whether the answer comes once it is applied, or once it is written down."),
});
const text = z.string().max(4 << 20);

const textReply = z.strictObject({
  ...shapes.lab.shape,
  text: z
    .union([text, z.null()])
    .describe(
      "Its file's text as it is now; null when that cannot be read. Who has the role read sees no values of env.",
    ),
  etag: z.union([z.string(), z.null()]),
  previous: z.union([text, z.null()]).describe("The text before the last change by this API: declared, it undoes it."),
  checks: z.array(z.looseObject({ name: z.string(), type: z.string(), expect: z.string() })),
});

/** What was declared of a lab, and what of it could not be had. */
type Reply = Promise<shapes.LabReply>;

export const labs: readonly Operation[] = [
  json({
    id: "listLabs",
    method: "GET",
    path: "/labs",
    role: "read",
    tag,
    summary: "List the labs that are up.",
    reply: z.array(shapes.lab),
    handle: ({ site }) => [...site.view().labs],
  }),
  json({
    id: "getLab",
    method: "GET",
    path: "/labs/{lab}",
    role: "read",
    tag,
    summary: "Show a lab, its text, and the text before.",
    reply: textReply,
    handle: ({ site, principal, params: { lab = "" } }) => {
      const view = findLab(site.view(), lab);
      const row = rowsOf(site.store.db).labs.find(({ name }) => name === lab);
      const now = view.file === "" ? undefined : readText(view.file);
      return {
        ...view,
        text: shownTo(principal, now) ?? null,
        etag: now === undefined ? null : etagOf(now),
        previous: shownTo(principal, previousText(site.paths, lab)) ?? null,
        checks: (row?.checks ?? []).map((check) => ({ ...check })),
      };
    },
  }),
  raw({
    id: "exportLab",
    method: "GET",
    path: "/labs/{lab}/text",
    role: "read",
    tag,
    summary: "Get the lab's file as it is.",
    gives: "application/yaml",
    handle: ({ site, principal, params: { lab = "" } }) => {
      const { file } = findLab(site.view(), lab);
      const now = shownTo(principal, readText(file));
      if (now === undefined)
        throw new YardError("http.no-text", `the file of lab ${lab} cannot be read`, { where: file });
      const headers = { "content-type": "application/yaml; charset=utf-8", etag: etagOf(now) };
      return new Response(now, {
        headers: { ...headers, "content-disposition": `attachment; filename="${lab}.yard.yaml"` },
      });
    },
  }),
  json({
    id: "putLab",
    method: "PUT",
    path: "/labs/{lab}",
    role: "operate",
    tag,
    summary: "Make a lab so, as `yard up` does, from a text.",
    description:
      "The text is written to the lab's file (one of the yard's own, for a lab that has none) and declared. With `dry_run` nothing is written or declared, and the plan is told. What fails is listed, stays declared and is tried again. With If-Match the change is refused when the text is no longer the one that it was made from.",
    query,
    body: z.strictObject({ text: text.describe("A lab file, docs/lab-file.md.") }),
    reply: shapes.labReply,
    handle: ({ params: { lab = "" }, body, request, ...call }) =>
      put(call, lab, body.text, request.headers.get("if-match")),
  }),
  json({
    id: "upLab",
    method: "POST",
    path: "/labs/{lab}/up",
    role: "operate",
    tag,
    summary: "Make a lab so again, from its file as it is now.",
    query,
    reply: shapes.labReply,
    handle: ({ params: { lab = "" }, ...call }) => {
      const { file } = findLab(call.site.view(), lab);
      const now = readText(file);
      if (now === undefined)
        throw new YardError("http.no-text", `the file of lab ${lab} cannot be read`, { where: file });
      return put(call, lab, now, etagOf(now));
    },
  }),
  json({
    id: "deleteLab",
    method: "DELETE",
    path: "/labs/{lab}",
    role: "operate",
    tag,
    summary: "Take a lab away, as `yard down` does. Its file stays.",
    query,
    reply: shapes.labReply,
    handle: async ({ params: { lab = "" }, ...call }) => {
      const { site, query } = call;
      const { file } = findLab(site.view(), lab);
      const before = file === "" ? undefined : readText(file);
      const options = query.dry_run ? {} : { signal: site.signal };
      const write = async (store: Store) => ({ result: await withdrawLabs(store, [lab], options) });
      const reply = await declare(call, `take lab ${lab} away`, lab, write);
      return { ...reply, previous: before ?? null };
    },
  }),
  json({
    id: "parseLab",
    method: "POST",
    path: "/parse",
    role: "read",
    tag,
    summary: "Check the text of a lab, without looking at the yard: for an editor.",
    body: z.strictObject({ text, file: z.string().optional().describe("What relative paths in it mean.") }),
    reply: z.strictObject({
      name: z.union([z.string(), z.null()]),
      nodes: z.int().min(0),
      networks: z.int().min(0),
      links: z.int().min(0),
      problem: z.union([problem, z.null()]).describe("With the place of each error: file:line:column."),
    }),
    handle: ({ site, body: { text, file = "" } }) => {
      try {
        const { lab } = parseLab(text, { file, shown: "lab", environment: site.environment });
        const { name, nodes, networks, links } = lab;
        return { name, nodes: nodes.length, networks: networks.length, links: links.length, problem: null };
      } catch (error) {
        return { name: null, nodes: 0, networks: 0, links: 0, problem: problemOf(error) };
      }
    },
  }),
  raw({
    id: "getLabTemplate",
    method: "GET",
    path: "/labs/{lab}/template",
    role: "read",
    tag,
    summary: "A commented lab to begin with, as `yard init` writes it.",
    gives: "application/yaml",
    handle: ({ params: { lab = "" } }) =>
      new Response(initialLab(lab), { headers: { "content-type": "application/yaml; charset=utf-8" } }),
  }),
  json({
    id: "getLabSchema",
    method: "GET",
    path: "/schemas/lab.schema.json",
    role: "read",
    tag,
    summary: "The JSON Schema of a lab file.",
    reply: z.looseObject({}),
    handle: () => ({ ...labJsonSchema() }),
  }),
];

type Query = z.infer<typeof query>;

/** A lab's text as somebody may see it. */
function shownTo({ role }: Principal, text: string | undefined): string | undefined {
  return role === "operate" || text === undefined ? text : withoutSecrets(text);
}

/** Of a request about a lab. */
type LabCall = Pick<Call<Query>, "site" | "principal" | "query">;

/** What a write has come to, and what it has made of the lab's file. */
interface Written {
  readonly result: Declared;
  readonly text?: TextEdit;
}

async function put(call: LabCall, name: string, text: string, match: string | null): Reply {
  const { site, query } = call;
  const file = rowsOf(site.store.db).labs.find((lab) => lab.name === name)?.file || storedFile(site.paths, name);
  const source = { file, shown: `${name}.yard.yaml`, environment: site.environment };
  const { lab, locate } = parseLab(text, source);
  // Only a lab's name is one of a file of ours, too.
  if (lab.name !== name)
    throw new YardError("http.lab-name-differs", `the text is that of lab ${lab.name}, and the request is for ${name}`);
  const present = () => {
    const before = readText(file);
    if (match !== null && (before === undefined || match !== etagOf(before)))
      throw new YardError("http.changed-since", `the text of lab ${name} has changed since it was read`);
    return before;
  };
  // Before an agent is started for it.
  let before = present();
  const options = query.dry_run ? { locate } : { locate, signal: site.signal };
  const write = (store: Store) => declareLab(store, lab, placeOf(site), options);
  // The file is in place before anybody waits: what is declared and what is written are one.
  const staged = async (store: Store): Promise<Written> => {
    before = present();
    using place = stageText(site.paths, file, text);
    const result = await write(store);
    place.commit();
    if (before !== undefined && before !== text) keepPrevious(site.paths, name, before);
    site.feed.tellText(name, etagOf(text));
    return { result, text: { lab: name, file, before: before ?? null, after: text } };
  };
  const planned = async (store: Store): Promise<Written> => ({ result: await write(store) });
  const reply = await declare(call, `change lab ${name}`, name, query.dry_run ? planned : staged);
  return { ...reply, previous: before ?? null, ...(query.dry_run ? {} : { etag: etagOf(text) }) };
}

/**
 * Makes a change of a whole lab, and tells what of it could not be had: that stays declared.
 *
 * @param what in words, for the history
 */
async function declare(
  { site, principal, query: { dry_run, wait } }: LabCall,
  what: string,
  lab: string,
  write: (store: Store) => Promise<Written>,
): Reply {
  const began = performance.now();
  const compared = async (store: Store) => {
    const before = declarationOf(store.db);
    const { result, text } = await write(store);
    const { added, changed, removed } = changesBetween(before, declarationOf(store.db));
    const changes = { added: [...added], changed: [...changed], removed: [...removed] };
    return { result: { declared: result, changes }, ...(text === undefined ? {} : { text }) };
  };
  const rest = () => ({ previous: null, etag: null, milliseconds: Math.round(performance.now() - began) });
  if (dry_run) {
    let changes: shapes.LabReply["changes"] = { added: [], changed: [], removed: [] };
    const plan = await preview(site, async (store) => {
      changes = (await compared(store)).result.changes;
    });
    return { lab, cfg: null, changes, failures: [], plan, ...rest() };
  }
  return await withAgent(site, async (died) => {
    const noted = await site.history.note({ who: principal.name, what }, () => compared(site.store));
    const { declared, changes } = noted.result;
    const applied = waitApplied(site.store, declared.cfg, { labs: [lab], signal: site.signal });
    applied.catch(() => {});
    const { failures } = wait ? await Promise.race([applied, died]) : { failures: [] };
    return {
      lab,
      cfg: declared.cfg,
      changes,
      failures: failures.map((failure) => ({ ...failure })),
      plan: null,
      ...rest(),
    };
  });
}
