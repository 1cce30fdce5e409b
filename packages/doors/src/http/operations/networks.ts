import { networkSpec } from "@switchyard/yard/model";
import { addNetwork, removeNetwork, setRstp } from "@switchyard/yard/store";
import { findNetwork } from "@switchyard/yard/view";
import { z } from "zod";
import { change, changeQuery } from "../change.ts";
import { json, type Operation } from "../operation.ts";
import * as shapes from "../shapes.ts";
import { labPart } from "./lab-part.ts";
import { writable } from "./nodes.ts";

const tag = "networks";

export const networks: readonly Operation[] = [
  json({
    id: "listNetworks",
    method: "GET",
    path: "/networks",
    role: "read",
    tag,
    summary: "List the networks.",
    reply: z.array(shapes.network),
    handle: ({ site }) => writable(site.view().networks),
  }),
  json({
    id: "getNetwork",
    method: "GET",
    path: "/networks/{network}",
    role: "read",
    tag,
    summary: "Show a network.",
    reply: shapes.network,
    handle: ({ site, params: { network = "" } }) => writable(findNetwork(site.view(), network)),
  }),
  json({
    id: "addNetwork",
    method: "POST",
    path: "/networks",
    role: "operate",
    tag,
    summary: "Add a network outside of any lab. One that cannot be made is withdrawn.",
    query: changeQuery,
    body: z.strictObject({ name: z.string(), spec: labPart("network") }),
    reply: shapes.changeReply,
    handle: ({ body: { name, spec }, ...call }) => {
      const network = networkSpec(name, spec, call.site.environment);
      return change(call, {
        what: `add network ${name}`,
        write: (store, place, options) => addNetwork(store, network, place, options),
        scope: { networks: [name] },
      });
    },
  }),
  json({
    id: "removeNetwork",
    method: "DELETE",
    path: "/networks/{network}",
    role: "operate",
    tag,
    summary: "Remove a network, which no nic may attach to any more.",
    query: changeQuery,
    reply: shapes.changeReply,
    handle: ({ params: { network = "" }, ...call }) => {
      findNetwork(call.site.view(), network);
      return change(call, {
        what: `remove network ${network}`,
        write: (store, _place, options) => removeNetwork(store, network, options),
        scope: { networks: [network] },
      });
    },
  }),
  json({
    id: "setRstp",
    method: "PUT",
    path: "/networks/{network}/rstp",
    role: "operate",
    tag,
    summary: "Have a lan speak the Rapid Spanning Tree Protocol, so that lans may be joined in a ring, or no longer.",
    query: changeQuery,
    body: z.strictObject({ on: z.boolean() }),
    reply: shapes.changeReply,
    handle: ({ params: { network = "" }, body: { on }, ...call }) => {
      findNetwork(call.site.view(), network);
      return change(call, {
        what: `RSTP on ${network} ${on ? "on" : "off"}`,
        write: (store, _place, options) => setRstp(store, network, on, options),
        scope: { networks: [network] },
      });
    },
  }),
];
