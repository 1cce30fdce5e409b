import { YardError } from "@switchyard/base";
import { LINK_WAYS, NIC_WAYS, SETTINGS } from "@switchyard/yard/impair";
import { changedImpair, type ImpairSettings } from "@switchyard/yard/impair-change";
import { nicSpec } from "@switchyard/yard/model";
import { attachNic, detachNic, type Impaired, newNicName, rowsOf, setImpair, spyNic } from "@switchyard/yard/store";
import { findLink, findNicAt, findNode } from "@switchyard/yard/view";
import { withCounters } from "@switchyard/yard/view/store";
import { z } from "zod";
import { type Asked, change, changeQuery } from "../change.ts";
import type { Site } from "../ground.ts";
import { json, type Operation } from "../operation.ts";
import * as shapes from "../shapes.ts";
import { labPart } from "./lab-part.ts";
import { writable } from "./nodes.ts";

const tag = "nics";
type At = { readonly node?: string; readonly nic?: string };

/** Settings of one way: each as a lab file has it; or all of them off. */
const settings = z.union([z.literal("off"), z.partialRecord(z.enum(SETTINGS), z.string())]);

function impairBody([forward, backward]: readonly [string, string]) {
  return z
    .strictObject({ forward: settings.optional(), backward: settings.optional() })
    .describe(
      `What is not named stays as it is. \`forward\` is what \`yard impair\` calls ${forward}, \`backward\` what it calls ${backward}.`,
    );
}

export const nics: readonly Operation[] = [
  json({
    id: "getNic",
    method: "GET",
    path: "/nodes/{node}/nics/{nic}",
    role: "read",
    tag,
    summary: "Show a nic, by its name or number, with its port's counters.",
    reply: shapes.nic,
    handle: async ({ site, params, gone }) => {
      const { node, nic } = nicAt(site, params);
      const [counted] = await withCounters(site.paths, [{ ...node, nics: [{ ...nic, monitor: true }] }], gone);
      return writable({ ...nic, counters: counted?.nics[0]?.counters ?? null });
    },
  }),
  json({
    id: "addNic",
    method: "POST",
    path: "/nodes/{node}/nics",
    role: "operate",
    tag,
    summary: "Give a node a nic: as `nics` of a lab file has it, the network by name, or by type and id.",
    query: changeQuery,
    body: labPart("nic"),
    reply: shapes.changeReply,
    handle: ({ params: { node = "" }, body, ...call }) => {
      const { site } = call;
      findNode(site.view(), node);
      const rows = rowsOf(site.store.db);
      const row = rows.nodes.find(({ name }) => name === node) ?? { name: node, nics: [] };
      const name = newNicName(row, typeof body.name === "string" ? body.name : undefined);
      const spec = nicSpec({ ...body, name }, { networks: rows.networks, environment: site.environment });
      return change(call, {
        what: `add nic ${node}:${name}`,
        write: (store, _place, options) => attachNic(store, node, spec, options),
        scope: { nodes: [node] },
      });
    },
  }),
  json({
    id: "moveNic",
    method: "PATCH",
    path: "/nodes/{node}/nics/{nic}",
    role: "operate",
    tag,
    summary: "Move a nic to another network; it keeps its MAC address. The body is as that of addNic.",
    query: changeQuery,
    body: labPart("nic"),
    reply: shapes.changeReply,
    handle: ({ params, body, ...call }) => {
      const { site } = call;
      const { node, nic } = nicAt(site, params);
      const { networks } = rowsOf(site.store.db);
      const spec = nicSpec({ ...body, name: nic.name }, { networks, environment: site.environment });
      return change(call, {
        what: `move nic ${node.name}:${nic.name} to ${spec.network ?? "no network"}`,
        write: (store, _place, options) => attachNic(store, node.name, spec, options),
        scope: { nodes: [node.name] },
      });
    },
  }),
  json({
    id: "removeNic",
    method: "DELETE",
    path: "/nodes/{node}/nics/{nic}",
    role: "operate",
    tag,
    summary: "Take a nic away from a node.",
    query: changeQuery,
    reply: shapes.changeReply,
    handle: ({ params, ...call }) => {
      const { node, nic } = nicAt(call.site, params);
      return change(call, {
        what: `remove nic ${node.name}:${nic.name}`,
        write: (store, _place, options) => detachNic(store, node.name, nic.name, options),
        scope: { nodes: [node.name] },
      });
    },
  }),
  json({
    id: "spyNic",
    method: "PUT",
    path: "/nodes/{node}/nics/{nic}/spy",
    role: "operate",
    tag,
    summary: "Mirror what passes a nic to an interface of its own, or no longer.",
    query: changeQuery,
    body: z.strictObject({ on: z.boolean() }),
    reply: shapes.changeReply,
    handle: ({ params, body: { on }, ...call }) => {
      const { node, nic } = nicAt(call.site, params);
      return change(call, {
        what: `spy on ${node.name}:${nic.name}${on ? "" : " no longer"}`,
        write: (store, _place, options) => spyNic(store, node.name, nic.name, on, options),
        scope: { nodes: [node.name] },
      });
    },
  }),
  json({
    id: "impairNic",
    method: "PATCH",
    path: "/nodes/{node}/nics/{nic}/impair",
    role: "operate",
    tag,
    summary: "Delay, lose or slow down a nic's frames, while it is in use.",
    query: changeQuery,
    body: impairBody(NIC_WAYS),
    reply: shapes.changeReply,
    handle: ({ params, body, ...call }) => {
      const { node, nic } = nicAt(call.site, params);
      return impair(call, { node: node.name, nic: nic.name }, body, [node.name]);
    },
  }),
  json({
    id: "impairNode",
    method: "PATCH",
    path: "/nodes/{node}/impair",
    role: "operate",
    tag: "nodes",
    summary: "The same of a node of kind a2b.",
    query: changeQuery,
    body: impairBody(LINK_WAYS),
    reply: shapes.changeReply,
    handle: ({ params: { node = "" }, body, ...call }) => {
      findNode(call.site.view(), node);
      return impair(call, { node }, body, [node]);
    },
  }),
  json({
    id: "listLinks",
    method: "GET",
    path: "/links",
    role: "read",
    tag: "links",
    summary: "List the wires between two nics.",
    reply: z.array(shapes.link),
    handle: ({ site }) => writable(site.view().links),
  }),
  json({
    id: "impairLink",
    method: "PATCH",
    path: "/links/{link}/impair",
    role: "operate",
    tag: "links",
    summary: "Delay, lose or slow down a link's frames.",
    query: changeQuery,
    body: impairBody(LINK_WAYS),
    reply: shapes.changeReply,
    handle: ({ params: { link = "" }, body, ...call }) => {
      const view = call.site.view();
      const { name } = findLink(view, link);
      const ends = view.nodes.filter((node) => node.nics.some((nic) => nic.link === name));
      return impair(
        call,
        { link: name },
        body,
        ends.map((node) => node.name),
      );
    },
  }),
  json({
    id: "listLeases",
    method: "GET",
    path: "/leases",
    role: "read",
    tag: "networks",
    summary: "Which nic has which addresses, and which of them are leased.",
    reply: z.array(
      z.strictObject({
        node: z.string(),
        nic: z.string(),
        network: z.union([z.string(), z.null()]),
        mac: z.string(),
        addresses: z.array(z.string()),
        lease: shapes.nic.shape.lease,
      }),
    ),
    handle: ({ site }) =>
      site
        .view()
        .nodes.flatMap((node) =>
          node.nics.map(({ name, network, mac, addresses, lease }) =>
            writable({ node: node.name, nic: name, network, mac, addresses, lease }),
          ),
        ),
  }),
];

/** @throws YardError `node.unknown`, `nic.unknown` */
export function nicAt(site: Site, { node = "", nic = "" }: At) {
  return findNicAt(site.view(), { node, nic });
}

type Way = z.infer<typeof settings> | undefined;

function impair(
  call: Asked,
  what: Impaired,
  { forward, backward }: { readonly forward?: Way; readonly backward?: Way },
  nodes: readonly string[],
) {
  if (forward === undefined && backward === undefined)
    throw new YardError("http.bad-body", "neither way is to be changed", { hint: "give forward, backward or both" });
  const wanted = {
    ...(forward === undefined ? {} : { forward: settingsOf(forward) }),
    ...(backward === undefined ? {} : { backward: settingsOf(backward) }),
  };
  const write = (present: Parameters<typeof changedImpair>[0]) => changedImpair(present, wanted);
  const name = "link" in what ? what.link : "nic" in what ? `${what.node}:${what.nic}` : what.node;
  return change(call, {
    what: `impair ${name}`,
    write: (store, _place, options) => setImpair(store, what, write, options),
    scope: { nodes },
    merge: true,
  });
}

function settingsOf(written: Exclude<Way, undefined>): ImpairSettings {
  if (written === "off") return written;
  return SETTINGS.flatMap((setting) => {
    const text = written[setting];
    return text === undefined ? [] : [[setting, text] as const];
  });
}
