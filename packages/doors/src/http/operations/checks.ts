import { parseIp, YardError } from "@switchyard/base";
import { addressFor, iperf, pingAll, runChecks } from "@switchyard/yard/checks";
import { rowsOf } from "@switchyard/yard/store";
import { findLab, findRunningNode } from "@switchyard/yard/view";
import { z } from "zod";
import { json, type Operation } from "../operation.ts";
import * as shapes from "../shapes.ts";
import { writable } from "./nodes.ts";

const tag = "checks";
const lab = z.string().optional().describe("Only of this lab.");

export const checks: readonly Operation[] = [
  json({
    id: "runChecks",
    method: "POST",
    path: "/checks",
    role: "operate",
    tag,
    summary: "Run the checks of the labs: what reaches what, and what does not.",
    body: z.strictObject({ lab }),
    reply: z.strictObject({ ok: z.boolean(), results: z.array(shapes.checkResult) }),
    handle: async ({ site, body: { lab }, gone }) => {
      const inside = site.inside();
      if (lab !== undefined) findLab(inside.view, lab);
      const meant = rowsOf(site.store.db).labs.filter(({ name }) => lab === undefined || name === lab);
      const labs = meant.map(({ name, checks }) => ({ lab: name, checks }));
      const results = await runChecks(inside, labs, { signal: gone });
      return { ok: results.every(({ ok }) => ok), results: writable(results) };
    },
  }),
  json({
    id: "pingAll",
    method: "POST",
    path: "/pingall",
    role: "operate",
    tag,
    summary: "Ping between every pair of running nodes that have addresses on a common network.",
    body: z.strictObject({ lab, timeout: z.number().positive().max(600).default(2).describe("Seconds.") }),
    reply: z.strictObject({ ok: z.boolean(), pairs: z.array(shapes.pair) }),
    handle: async ({ site, body: { lab, timeout }, gone }) => {
      const { view } = site.inside();
      if (lab !== undefined) findLab(view, lab);
      const running = view.nodes.filter((node) => node.state === "running" && (lab === undefined || node.lab === lab));
      const pairs = await pingAll(running, { timeout: timeout * 1_000, signal: gone });
      return { ok: pairs.every(({ roundTrip }) => roundTrip !== null), pairs: writable(pairs) };
    },
  }),
  json({
    id: "iperf",
    method: "POST",
    path: "/iperf",
    role: "operate",
    tag,
    summary: "Measure TCP throughput between two nodes.",
    body: z.strictObject({
      from: z.string(),
      to: z.string(),
      address: z.string().optional().describe("Of `to`; one that both reach without it."),
      seconds: z.int().min(1).max(3_600).default(3),
      parallel: z.int().min(1).max(128).default(1),
      reverse: z.boolean().default(false),
    }),
    reply: z.strictObject({
      bitsPerSecond: z.number(),
      retransmits: z.union([z.number(), z.null()]),
      seconds: z.number(),
    }),
    handle: async ({ site, body: { from, to, address, ...options }, gone }) => {
      const inside = site.inside();
      const [client, server] = [findRunningNode(inside.view, from), findRunningNode(inside.view, to)];
      const ip = address === undefined ? addressFor(client, server) : parseIp(address);
      if (ip === undefined)
        throw new YardError("node.no-address", `node ${to} has no IP address`, { hint: "give one of its nics an ip" });
      return { ...(await iperf(inside.namespace(from), inside.namespace(to), ip, { ...options, signal: gone })) };
    },
  }),
];
