import { isAbsolute } from "node:path";
import { YardError } from "@switchyard/base";
import { z } from "zod";
import { json, type Operation } from "../operation.ts";

const tag = "virtual machines";
const done = z.strictObject({ node: z.string(), done: z.string() });
const tagName = z.string().min(1).max(128);

export const machines: readonly Operation[] = [
  json({
    id: "powerNode",
    method: "POST",
    path: "/nodes/{node}/power",
    role: "operate",
    tag,
    summary: "Press the buttons of a virtual machine.",
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
    handle: async ({ site, params: { node = "" }, body: { action, grace }, note }) => {
      note(action);
      const way = site.inside();
      const { engine, name } = await (action === "start" ? way.theBootable(node) : way.theMachine(node));
      const { signal } = site;
      switch (action) {
        case "pause":
          await engine.pause(name, signal);
          break;
        case "resume":
          await engine.resume(name, signal);
          break;
        case "shutdown":
          await engine.stop(name, grace * 1_000, signal);
          break;
        case "start":
          await engine.start(name, signal);
          break;
        case "reset":
          await engine.reset(name, signal);
      }
      return { node, done: action };
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
    body: z.strictObject({ name: tagName }),
    reply: done,
    handle: async ({ site, params: { node = "" }, body }) => {
      const { engine, name } = await site.inside().theMachine(node);
      await engine.takeSnapshot(name, body.name, site.signal);
      return { node, done: "taken" };
    },
  }),
  json({
    id: "revertSnapshot",
    method: "POST",
    path: "/nodes/{node}/snapshots/{snapshot}/revert",
    role: "operate",
    tag,
    summary: "Have it go back to a state.",
    reply: done,
    handle: async ({ site, params: { node = "", snapshot = "" } }) => {
      const { engine, name } = await site.inside().theMachine(node);
      await engine.revert(name, snapshot, site.signal);
      return { node, done: "gone back to" };
    },
  }),
  json({
    id: "deleteSnapshot",
    method: "DELETE",
    path: "/nodes/{node}/snapshots/{snapshot}",
    role: "operate",
    tag,
    summary: "Forget a state.",
    reply: done,
    handle: async ({ site, params: { node = "", snapshot = "" } }) => {
      const { engine, name } = await site.inside().theMachine(node);
      await engine.deleteSnapshot(name, snapshot, site.signal);
      return { node, done: "removed" };
    },
  }),
  json({
    id: "saveDisk",
    method: "POST",
    path: "/nodes/{node}/save",
    role: "operate",
    tag,
    summary: "Copy its first disk, as it is now, to an image on the host.",
    body: z.strictObject({ file: z.string().describe("The image to make, an absolute path; it must not be there.") }),
    reply: done,
    handle: async ({ site, params: { node = "" }, body: { file } }) => {
      if (!isAbsolute(file)) throw new YardError("http.bad-body", `"${file}" is no absolute path`, { where: "file" });
      const { engine, name } = await site.inside().theMachine(node);
      await engine.save(name, file, site.signal);
      return { node, done: `saved to ${file}` };
    },
  }),
];
