import { isAbsolute } from "node:path";
import { YardError } from "@switchyard/base";
import type { VmEngine } from "@switchyard/runtime";
import { z } from "zod";
import { changeQuery } from "../change.ts";
import { type Call, json, type Operation } from "../operation.ts";
import * as shapes from "../shapes.ts";

const tag = "virtual machines";
const done = z
  .strictObject({
    node: z.string(),
    done: z.union([z.string(), z.null()]).describe("Null: not tried."),
    plan: z.union([z.array(shapes.step), z.null()]).describe("With `dry_run`: what would be done."),
  })
  .meta({ id: "MachineChange" });
const tagName = z.string().min(1).max(128);

/** What is done to a machine that the agent has no part in: it changes nothing that is declared. */
interface Deed {
  /** As a step of a plan names it: `machine-pause`. */
  readonly step: string;
  /** What would be done, in words: `pause it`. */
  readonly words: string;
  /** What has been done. */
  readonly done: string;
  /** The machine is switched on by it: one that is stopped must not be. */
  readonly boots?: boolean;
  readonly act: (engine: VmEngine, name: string, signal: AbortSignal) => Promise<unknown>;
}

/** Does it, or with `dry_run` tells what would be done. @throws YardError `node.unknown`, `node.not-vm`, `node.stopped` */
async function act(
  { site, params: { node = "" }, query }: Pick<Call<z.infer<typeof changeQuery>>, "site" | "params" | "query">,
  { step, words, done: did, boots = false, act: run }: Deed,
) {
  const way = site.inside();
  const { engine, name } = await (boots ? way.theBootable(node) : way.theMachine(node));
  const subject = `node ${node}`;
  if (query.dry_run) return { node, done: null, plan: [{ text: `~ ${subject}: ${words}`, do: step, subject }] };
  await run(engine, name, site.signal);
  return { node, done: did, plan: null };
}

function button(action: "pause" | "resume" | "shutdown" | "start" | "reset", grace: number): Deed {
  switch (action) {
    case "pause":
      return {
        ...{ step: "machine-pause", words: "have it stand still", done: action },
        act: (engine, name, signal) => engine.pause(name, signal),
      };
    case "resume":
      return {
        ...{ step: "machine-resume", words: "let it go on", done: action },
        act: (engine, name, signal) => engine.resume(name, signal),
      };
    case "shutdown":
      return {
        ...{ step: "machine-stop", words: `press its power button, off after ${grace} s`, done: action },
        act: (engine, name, signal) => engine.stop(name, grace * 1_000, signal),
      };
    case "start":
      return {
        ...{ step: "machine-start", words: "switch it on", done: action, boots: true },
        act: (engine, name, signal) => engine.start(name, signal),
      };
    case "reset":
      return {
        ...{ step: "machine-reset", words: "press its reset button", done: action },
        act: (engine, name, signal) => engine.reset(name, signal),
      };
  }
}

export const machines: readonly Operation[] = [
  json({
    id: "powerNode",
    method: "POST",
    path: "/nodes/{node}/power",
    role: "operate",
    tag,
    summary: "Press the buttons of a virtual machine.",
    query: changeQuery,
    body: z.strictObject({
      action: z.enum(["pause", "resume", "shutdown", "start", "reset"]),
      grace: z
        .number()
        .min(0)
        .max(3_600)
        .default(60)
        .describe("Seconds until one that shall shut down is switched off."),
    }),
    reply: done,
    handle: ({ body: { action, grace }, ...call }) => {
      call.note(action);
      return act(call, button(action, grace));
    },
  }),
  json({
    id: "listSnapshots",
    method: "GET",
    path: "/nodes/{node}/snapshots",
    role: "read",
    tag,
    summary: "List the states of a virtual machine that it can go back to.",
    reply: z.array(z.looseObject({ tag: z.string() })),
    handle: async ({ site, params: { node = "" }, gone }) => {
      const { engine, name } = await site.inside().theMachine(node);
      return (await engine.snapshots(name, gone)).map((snapshot) => ({ ...snapshot }));
    },
  }),
  json({
    id: "takeSnapshot",
    method: "POST",
    path: "/nodes/{node}/snapshots",
    role: "operate",
    tag,
    summary: "Keep its present state under a name.",
    query: changeQuery,
    body: z.strictObject({ name: tagName }),
    reply: done,
    handle: ({ body, ...call }) =>
      act(call, {
        ...{ step: "snapshot-take", words: `keep its state as ${body.name}`, done: "taken" },
        act: (engine, name, signal) => engine.takeSnapshot(name, body.name, signal),
      }),
  }),
  json({
    id: "revertSnapshot",
    method: "POST",
    path: "/nodes/{node}/snapshots/{snapshot}/revert",
    role: "operate",
    tag,
    summary: "Have it go back to a state.",
    query: changeQuery,
    reply: done,
    handle: (call) => {
      const { snapshot = "" } = call.params;
      return act(call, {
        ...{ step: "snapshot-revert", words: `go back to ${snapshot}: what was since is lost`, done: "gone back to" },
        act: (engine, name, signal) => engine.revert(name, snapshot, signal),
      });
    },
  }),
  json({
    id: "deleteSnapshot",
    method: "DELETE",
    path: "/nodes/{node}/snapshots/{snapshot}",
    role: "operate",
    tag,
    summary: "Forget a state.",
    query: changeQuery,
    reply: done,
    handle: (call) => {
      const { snapshot = "" } = call.params;
      return act(call, {
        ...{ step: "snapshot-delete", words: `forget its state ${snapshot}`, done: "removed" },
        act: (engine, name, signal) => engine.deleteSnapshot(name, snapshot, signal),
      });
    },
  }),
  json({
    id: "saveDisk",
    method: "POST",
    path: "/nodes/{node}/save",
    role: "operate",
    tag,
    summary: "Copy its first disk, as it is now, to an image on the host.",
    query: changeQuery,
    body: z.strictObject({ file: z.string().describe("The image to make, an absolute path; it must not be there.") }),
    reply: done,
    handle: ({ body: { file }, ...call }) => {
      if (!isAbsolute(file)) throw new YardError("http.bad-body", `"${file}" is no absolute path`, { where: "file" });
      return act(call, {
        ...{ step: "disk-save", words: `copy its first disk to ${file}`, done: `saved to ${file}` },
        act: (engine, name, signal) => engine.save(name, file, signal),
      });
    },
  }),
];
