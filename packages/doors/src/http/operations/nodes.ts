import { nodeSpec } from "@switchyard/yard/model";
import { addNode, removeNode, rowsOf, STOP_GRACE, startNodes, stopNodes } from "@switchyard/yard/store";
import { findNode } from "@switchyard/yard/view";
import { withCounters, withLeased } from "@switchyard/yard/view/store";
import { z } from "zod";
import { change, changeQuery } from "../change.ts";
import { json, type Operation } from "../operation.ts";
import * as shapes from "../shapes.ts";
import { labPart } from "./lab-part.ts";

const tag = "nodes";

export const nodes: readonly Operation[] = [
  json({
    id: "getYard",
    method: "GET",
    path: "/yard",
    role: "read",
    tag: "yard",
    summary: "All that the yard has: labs, networks, nodes with their nics, links, bridges of the host.",
    reply: shapes.yard,
    handle: ({ site }) => writable(site.view()),
  }),
  json({
    id: "listNodes",
    method: "GET",
    path: "/nodes",
    role: "read",
    tag,
    summary: "List the nodes.",
    query: z.strictObject({ lab: z.string().optional().describe("Only those of this lab.") }),
    reply: z.array(shapes.node),
    handle: ({ site, query: { lab } }) =>
      writable(site.view().nodes.filter((node) => lab === undefined || node.lab === lab)),
  }),
  json({
    id: "getNode",
    method: "GET",
    path: "/nodes/{node}",
    role: "read",
    tag,
    summary: "Show all there is to know about a node, as `yard inspect` does.",
    reply: shapes.node,
    handle: async ({ site, params: { node = "" }, gone }) => {
      const view = site.view();
      const found = findNode(view, node);
      const [counted = found] = await withCounters(site.paths, await withLeased(site.paths, view, [found]), gone);
      return writable(counted);
    },
  }),
  json({
    id: "addNode",
    method: "POST",
    path: "/nodes",
    role: "operate",
    tag,
    summary: "Add a node outside of any lab. One that cannot be made is withdrawn, and leaves nothing behind.",
    query: changeQuery,
    body: z.strictObject({ name: z.string(), spec: labPart("node") }),
    reply: shapes.changeReply,
    handle: ({ body: { name, spec }, ...call }) => {
      const { store, environment } = call.site;
      const node = nodeSpec(name, spec, { networks: rowsOf(store.db).networks, environment });
      return change(call, {
        what: `add node ${name}`,
        write: (to, place, options) => addNode(to, node, place, options),
        scope: { nodes: [name] },
      });
    },
  }),
  json({
    id: "removeNode",
    method: "DELETE",
    path: "/nodes/{node}",
    role: "operate",
    tag,
    summary: "Remove a node.",
    query: changeQuery,
    reply: shapes.changeReply,
    handle: ({ params: { node = "" }, ...call }) => {
      findNode(call.site.view(), node);
      return change(call, {
        what: `remove node ${node}`,
        write: (store, _place, options) => removeNode(store, node, options),
        scope: { nodes: [node] },
      });
    },
  }),
  json({
    id: "stopNode",
    method: "POST",
    path: "/nodes/{node}/stop",
    role: "operate",
    tag,
    summary: "Have a node run no longer, as `yard stop` does. It stays so, whatever is declared, until it is started.",
    query: changeQuery.extend({
      grace: z.coerce
        .number()
        .int()
        .min(0)
        .max(3_600)
        .default(STOP_GRACE)
        .describe("Seconds until what runs in it is ended by force."),
    }),
    reply: shapes.changeReply,
    handle: ({ params: { node = "" }, ...call }) => {
      findNode(call.site.view(), node);
      return change(call, {
        what: `stop ${node}`,
        write: (store, _place, options) => stopNodes(store, [node], call.query.grace, options),
        scope: { nodes: [node] },
      });
    },
  }),
  json({
    id: "startNode",
    method: "POST",
    path: "/nodes/{node}/start",
    role: "operate",
    tag,
    summary: "Have a node run again that was stopped, or that has ended by itself, as `yard start` does.",
    query: changeQuery,
    reply: shapes.changeReply,
    handle: ({ params: { node = "" }, ...call }) => {
      findNode(call.site.view(), node);
      return change(call, {
        what: `start ${node}`,
        write: (store, _place, options) => startNodes(store, [node], options),
        scope: { nodes: [node] },
      });
    },
  }),
];

/** A view as it is sent: its lists are read-only for everybody else. */
export function writable<T>(view: T): Writable<T> {
  return view as Writable<T>;
}
type Writable<T> = T extends readonly (infer Item)[]
  ? Writable<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Writable<T[Key]> }
    : T;
