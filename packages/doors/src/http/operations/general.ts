import { ensureTunnelKey, listYards, publicKeyOf, stopYard, tunnelKeyFile } from "@switchyard/yard/agent";
import { examineHost } from "@switchyard/yard/doctor";
import { z } from "zod";
import { json, type Operation, raw } from "../operation.ts";
import * as shapes from "../shapes.ts";
import { writable } from "./nodes.ts";

const tag = "yard";

export const general: readonly Operation[] = [
  json({
    id: "getSession",
    method: "GET",
    path: "/session",
    role: "read",
    tag,
    summary: "Who is asking, and what is asked.",
    reply: z.strictObject({
      name: z.string(),
      role: z.enum(["read", "operate"]),
      yard: z.string(),
      host: z.string(),
      version: z.string(),
    }),
    handle: ({ site: { yard, host, version }, principal: { name, role } }) => ({ name, role, yard, host, version }),
  }),
  raw({
    id: "beginSession",
    method: "POST",
    path: "/session",
    role: "read",
    tag,
    summary: "Begin a session of a browser with the token that is sent: its cookie stands for the token from then on.",
    gives: "application/json",
    handle: ({ session, principal: { name, role } }) =>
      Response.json({ name, role }, { headers: { "set-cookie": session.begin() } }),
  }),
  raw({
    id: "endSession",
    method: "DELETE",
    path: "/session",
    role: "read",
    tag,
    summary: "End it.",
    gives: "application/json",
    handle: ({ session, principal: { name, role } }) =>
      Response.json({ name, role }, { headers: { "set-cookie": session.end() } }),
  }),
  json({
    id: "removeYard",
    method: "DELETE",
    path: "/yard",
    role: "operate",
    tag,
    summary: "Take the whole yard away, with all that is in it. What is asked of it next starts it anew.",
    reply: z.strictObject({ gone: z.boolean() }),
    handle: async ({ site }) => ({ gone: await stopYard(site.yard) }),
  }),
  json({
    id: "getKey",
    method: "GET",
    path: "/key",
    role: "read",
    tag,
    summary: "The public key of the yard's encrypted links, for the yard at the other end.",
    reply: z.strictObject({ yard: z.string(), key: z.string() }),
    handle: ({ site }) => {
      const { yard } = site.view();
      return { yard, key: publicKeyOf(ensureTunnelKey(tunnelKeyFile(site.paths.state))) };
    },
  }),
  json({
    id: "listYards",
    method: "GET",
    path: "/yards",
    role: "read",
    tag,
    summary: "List the yards of the host.",
    reply: z.array(
      z.strictObject({
        name: z.string(),
        running: z.boolean(),
        agentPid: z.union([z.int(), z.null()]),
        datapath: z.union([z.string(), z.null()]),
        labs: z.int(),
        nodes: z.int(),
      }),
    ),
    handle: async () =>
      (await listYards()).map(({ agentPid, datapath, ...yard }) => ({
        ...yard,
        agentPid: agentPid ?? null,
        datapath: datapath ?? null,
      })),
  }),
  json({
    id: "examineHost",
    method: "GET",
    path: "/doctor",
    role: "operate",
    tag,
    summary: "Tell what the host has and lacks, by trying it.",
    reply: z.array(shapes.finding),
    handle: async ({ site }) => {
      const found = await examineHost(site.paths, { env: site.environment, signal: site.signal });
      return found.map(({ remedy, ...finding }) => ({
        ...writable(finding),
        ...(remedy === undefined ? {} : { remedy }),
      }));
    },
  }),
  raw({
    id: "streamEvents",
    method: "GET",
    path: "/events",
    role: "read",
    tag,
    summary: "What happens in the yard, as it does (server-sent events).",
    description:
      "Each event but `traffic` has an id; with Last-Event-ID (or `after`) the stream goes on behind that one, without a gap. When that is not possible any more the first event is `reset`: read the yard again. Events tell whole things: `node`, `network`, `link`, `bridge` and `lab` have `{name, value}`, with the value null when it has gone; `yard` has `{agent, datapath, error}`; `config` has `{wanted, applied}`, the numbers of the state that is declared and of that which is so; `planned` and `converged` tell of the agent's work; `agent` whether it runs; `text` that a lab's text has changed; `traffic` what passed nics in the last second.",
    query: z.strictObject({
      after: z.string().optional().describe("As Last-Event-ID."),
      traffic: z
        .enum(["true", "false"])
        .optional()
        .transform((text) => text === "true")
        .describe("Whether rates of nics are told too."),
    }),
    gives: "text/event-stream",
    handle: ({ site, query: { after, traffic }, request, gone }) =>
      site.feed.serve(request.headers.get("last-event-id") ?? after, traffic, gone),
  }),
];
