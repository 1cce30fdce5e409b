import { parseIp, parseMac } from "@switchyard/base";
import { readBridge } from "@switchyard/yard/model";
import { addBridgeHost, addBridgeNic, createBridge, deleteBridge, removeBridgeNic } from "@switchyard/yard/store";
import { z } from "zod";
import { change, changeQuery } from "../change.ts";
import { json, type Operation } from "../operation.ts";
import * as shapes from "../shapes.ts";
import { writable } from "./nodes.ts";

const tag = "bridges of the host";

export const hostBridges: readonly Operation[] = [
  json({
    id: "listHostBridges",
    method: "GET",
    path: "/host-bridges",
    role: "read",
    tag,
    summary: "List the bridges of the kernel's own that the yard has made.",
    reply: z.array(shapes.hostBridge),
    handle: ({ site }) => writable(site.view().bridges),
  }),
  json({
    id: "createHostBridge",
    method: "POST",
    path: "/host-bridges",
    role: "operate",
    tag,
    summary: "Make a bridge of the kernel's own on the host.",
    query: changeQuery,
    body: z.strictObject({
      name: z.string(),
      mode: z.enum(["none", "static", "dnsmasq"]).default("none"),
      cidr: z.string().optional().describe("The host's address on it."),
      start: z.string().optional().describe("The first address that is leased."),
      end: z.string().optional(),
      nat: z.boolean().default(false).describe("Hide its network behind the host's address."),
      hwaddr: z.string().optional(),
    }),
    reply: shapes.changeReply,
    handle: (call) => {
      const spec = readBridge(call.body);
      return change(call, {
        what: `add bridge ${spec.name}`,
        write: (store, place, options) => createBridge(store, spec, place, options),
        scope: { bridges: [spec.name] },
      });
    },
  }),
  json({
    id: "deleteHostBridge",
    method: "DELETE",
    path: "/host-bridges/{bridge}",
    role: "operate",
    tag,
    summary: "Remove a bridge, with all that is its own.",
    query: changeQuery,
    reply: shapes.changeReply,
    handle: ({ params: { bridge = "" }, ...call }) =>
      change(call, {
        what: `remove bridge ${bridge}`,
        write: (store, _place, options) => deleteBridge(store, bridge, options),
        scope: { bridges: [bridge] },
      }),
  }),
  json({
    id: "addHostBridgeNic",
    method: "PUT",
    path: "/host-bridges/{bridge}/nics/{device}",
    role: "operate",
    tag,
    summary: "Put a NIC of the host into a bridge.",
    query: changeQuery,
    reply: shapes.changeReply,
    handle: ({ params: { bridge = "", device = "" }, ...call }) =>
      change(call, {
        what: `put ${device} into bridge ${bridge}`,
        write: (store, _place, options) => addBridgeNic(store, bridge, device, options),
        scope: { bridges: [bridge] },
      }),
  }),
  json({
    id: "removeHostBridgeNic",
    method: "DELETE",
    path: "/host-bridges/{bridge}/nics/{device}",
    role: "operate",
    tag,
    summary: "Take a NIC of the host out of its bridge.",
    query: changeQuery,
    reply: shapes.changeReply,
    handle: ({ params: { bridge = "", device = "" }, ...call }) =>
      change(call, {
        what: `take ${device} out of bridge ${bridge}`,
        write: (store, _place, options) => removeBridgeNic(store, bridge, device, options),
        scope: { bridges: [bridge] },
      }),
  }),
  json({
    id: "addHostBridgeHost",
    method: "PUT",
    path: "/host-bridges/{bridge}/hosts/{ip}",
    role: "operate",
    tag,
    summary: "Keep an address for a MAC.",
    query: changeQuery,
    body: z.strictObject({ mac: z.string() }),
    reply: shapes.changeReply,
    handle: ({ params: { bridge = "", ip = "" }, ...call }) => {
      const [address, mac] = [parseIp(ip), parseMac(call.body.mac)];
      return change(call, {
        what: `keep ${address} for ${mac} on bridge ${bridge}`,
        write: (store, _place, options) => addBridgeHost(store, bridge, address, mac, options),
        scope: { bridges: [bridge] },
      });
    },
  }),
];
