/** The switch: its bridges, what they have learnt, their flows, and the way of a packet through them. */
import { YardError } from "@switchyard/base";
import { OWNER, PURPOSE, pipeEnd, type Switch } from "@switchyard/vswitch";
import { z } from "zod";
import { flowAt, outputsIn, parseDatapathPorts, parseFlows, parseTrace, type TracedBridge, vlanOf } from "../flows.ts";
import type { Site } from "../ground.ts";
import { json, type Operation } from "../operation.ts";
import { nicAt } from "./nics.ts";

const tag = "switch";
const port = z.strictObject({
  name: z.string(),
  ofport: z.union([z.int(), z.null()]),
  purpose: z.string().describe("What it is for: `nic web eth0`; empty: it is not the yard's."),
});
const fdbEntry = z.strictObject({
  mac: z.string(),
  vlan: z.int(),
  port: z.union([z.string(), z.null()]).describe("The port's name."),
  age: z.union([z.int(), z.null()]).describe("Seconds since it was last seen; null: it does not age."),
});
const flow = z.strictObject({
  table: z.int(),
  priority: z.int(),
  match: z.string().describe("Empty: all packets."),
  actions: z.string(),
  packets: z.number(),
  bytes: z.number(),
  seconds: z.union([z.number(), z.null()]).describe("Since it was made."),
});
const traceReply = z.strictObject({
  bridge: z.string(),
  flow: z.string().describe("The packet, as ovs-fields(7) has it."),
  hops: z.array(
    z.strictObject({
      bridge: z.string(),
      by: z
        .union([z.string(), z.null()])
        .describe(
          "The port that it comes in by, where it has passed a pipe; null: from the bridge before, or where it begins.",
        ),
      steps: z.array(z.strictObject({ table: z.int(), rule: z.string(), does: z.array(z.string()) })),
    }),
  ),
  actions: z.string().describe("What the datapath does with it; behind each pipe anew, after a ` | `."),
  outputs: z.array(z.string()).describe("Names of the ports that it leaves by, as far as they are known."),
  text: z.string().describe("What ofproto/trace has printed, whole."),
});
/** Fields as ovs-fields(7) has them, and nothing that would be another argument. */
const flowText = z
  .string()
  .max(2_000)
  .regex(/^[\w=,.:/\-[\]()>]*$/, "a flow as ovs-ofctl(8) writes it is expected, without blanks");
const protocols = ["icmp", "tcp", "udp", "arp"] as const;

export const bridges: readonly Operation[] = [
  json({
    id: "listBridges",
    method: "GET",
    path: "/bridges",
    role: "read",
    tag,
    summary: "List the yard's bridges on the switch, with their ports.",
    reply: z.array(z.strictObject({ name: z.string(), purpose: z.string(), ports: z.array(port) })),
    handle: async ({ site }) => {
      const vswitch = await site.vswitch();
      return [...vswitch.table("Bridge")]
        .filter(({ external_ids }) => external_ids.get(OWNER) === site.yard)
        .map(({ name, external_ids }) => ({
          name,
          purpose: external_ids.get(PURPOSE) ?? "",
          ports: portsOf(vswitch, name),
        }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
  }),
  json({
    id: "listMacs",
    method: "GET",
    path: "/bridges/{bridge}/macs",
    role: "read",
    tag,
    summary: "Show what a bridge has learnt about where addresses are.",
    reply: z.array(fdbEntry),
    handle: async ({ site, params: { bridge = "" }, gone }) => {
      const vswitch = await site.vswitch();
      const ports = new Map(bridgePorts(site, vswitch, bridge).map(({ ofport, name }) => [ofport, name]));
      const entries = await site.fdb(bridge, gone);
      return entries.map(({ mac, vlan, ofport, age }) => ({
        mac,
        vlan,
        port: ofport === "LOCAL" ? bridge : (ports.get(ofport) ?? null),
        age: age ?? null,
      }));
    },
  }),
  json({
    id: "listFlows",
    method: "GET",
    path: "/bridges/{bridge}/flows",
    role: "read",
    tag,
    summary: "Show the flows of a bridge.",
    reply: z.array(flow),
    handle: async ({ site, params: { bridge = "" }, gone }) => {
      bridgePorts(site, await site.vswitch(), bridge);
      return parseFlows(await site.appctl("bridge/dump-flows", [bridge], gone));
    },
  }),
  json({
    id: "traceFlow",
    method: "POST",
    path: "/bridges/{bridge}/trace",
    role: "read",
    tag,
    summary: "Show the way of a packet through the switch (ofproto/trace).",
    body: z.strictObject({
      flow: flowText.describe("The packet's fields: `icmp,nw_src=10.1.0.1,nw_dst=10.1.0.2`."),
      port: z.string().optional().describe("Name of the port that it comes in by; without it `in_port` of the flow."),
    }),
    reply: traceReply,
    handle: async ({ site, params: { bridge = "" }, body: { flow, port }, gone }) => {
      const vswitch = await site.vswitch();
      const ports = bridgePorts(site, vswitch, bridge);
      const entry = ports.find(({ name }) => name === port);
      if (port !== undefined && (entry === undefined || entry.ofport === null))
        throw new YardError("trace.bad-port", `bridge ${bridge} has no port ${port} that packets come in by`);
      const written = [...(entry === undefined ? [] : [`in_port=${entry.ofport}`]), ...(flow === "" ? [] : [flow])];
      return await trace(site, bridge, written.join(","), gone);
    },
  }),
  json({
    id: "traceNic",
    method: "POST",
    path: "/nodes/{node}/nics/{nic}/trace",
    role: "read",
    tag,
    summary: "Show the way of a packet that a nic sends: to another nic, or as it is written.",
    body: z.strictObject({
      to: z
        .strictObject({ node: z.string(), nic: z.string() })
        .optional()
        .describe("The nic that it is for; everybody without it."),
      protocol: z.enum(protocols).default("icmp"),
      port: z.int().min(1).max(65_535).optional().describe("The destination port of tcp and udp."),
      flow: flowText.default("").describe("More of its fields."),
    }),
    reply: traceReply,
    handle: async ({ site, params, body, gone }) => {
      const { nic } = nicAt(site, params);
      const to = body.to === undefined ? undefined : nicAt(site, body.to).nic;
      const vswitch = await site.vswitch();
      const entry = [...vswitch.table("Bridge")]
        .filter(({ external_ids }) => external_ids.get(OWNER) === site.yard)
        .flatMap(({ name }) => portsOf(vswitch, name).map((found) => ({ bridge: name, ...found })))
        .find(({ name }) => name === nic.port && name !== "");
      if (entry === undefined || entry.ofport === null)
        throw new YardError("trace.bad-port", `nic ${nic.name} is on no bridge of the switch`);
      const fields = packet(nic, to, body);
      return await trace(site, entry.bridge, [`in_port=${entry.ofport}`, ...fields].join(","), gone);
    },
  }),
];

interface End {
  readonly mac: string;
  readonly addresses: readonly string[];
}

/** A packet's fields from one nic to another, of the family that both have addresses of. */
function packet(
  from: End,
  to: End | undefined,
  {
    protocol,
    port,
    flow,
  }: { readonly protocol: (typeof protocols)[number]; readonly port?: number | undefined; readonly flow: string },
): string[] {
  const ethernet = [`dl_src=${from.mac}`, `dl_dst=${protocol === "arp" ? BROADCAST : (to?.mac ?? BROADCAST)}`];
  const ips = (end: End | undefined, six: boolean) =>
    (end?.addresses ?? []).map((cidr) => cidr.split("/")[0] ?? "").find((ip) => ip.includes(":") === six);
  const six =
    protocol !== "arp" &&
    to !== undefined &&
    (ips(from, false) === undefined || ips(to, false) === undefined) &&
    ips(to, true) !== undefined;
  const [source, target] = [ips(from, six), ips(to, six)];
  const name = six ? `${protocol}6` : protocol;
  const [sourceField, targetField] =
    protocol === "arp" ? ["arp_spa", "arp_tpa"] : six ? ["ipv6_src", "ipv6_dst"] : ["nw_src", "nw_dst"];
  return [
    ...ethernet,
    name,
    ...(source === undefined ? [] : [`${sourceField}=${source}`]),
    ...(target === undefined ? [] : [`${targetField}=${target}`]),
    ...(port === undefined || (protocol !== "tcp" && protocol !== "udp") ? [] : [`tp_dst=${port}`]),
    ...(flow === "" ? [] : [flow]),
  ];
}
const BROADCAST = "ff:ff:ff:ff:ff:ff";

/** Pipes that a packet is followed through: with more of them it goes in circles. */
const MOST_PIPES = 32;

/** A packet on a bridge. */
interface Arrival {
  readonly bridge: string;
  readonly flow: string;
  readonly by: string | null;
}

/** Traces a packet through the switch, and again from where a pipe leads that it leaves by. */
async function trace(site: Site, bridge: string, flow: string, gone: AbortSignal): Promise<z.infer<typeof traceReply>> {
  const vswitch = await site.vswitch();
  const names = parseDatapathPorts(await site.appctl("dpif/show", [], gone));
  const arrivals: Arrival[] = [{ bridge, flow, by: null }];
  const seen = new Set<string>();
  const traced: {
    readonly hops: z.infer<typeof traceReply>["hops"];
    readonly actions: string;
    readonly text: string;
  }[] = [];
  const outputs = new Set<string>();
  for (const arrival of arrivals) {
    const text = await site.appctl("ofproto/trace", [arrival.bridge, arrival.flow], gone);
    const { hops, actions } = parseTrace(text);
    traced.push({ hops: hops.map((hop, at) => hopOf(hop, at === 0 ? arrival.by : null)), actions, text });
    for (const { number, vlan } of outputsIn(actions, vlanOf(arrival.flow))) {
      const name = names.get(number);
      if (name === undefined) continue;
      const far = farEnd(site, vswitch, name);
      if (far === undefined) outputs.add(name);
      else if (seen.size < MOST_PIPES && !seen.has(far.name)) {
        seen.add(far.name);
        const onward = flowAt(arrival.flow, { port: far.ofport, vlan });
        arrivals.push({ bridge: far.bridge, flow: onward, by: far.name });
      }
    }
  }
  const joined = (part: "actions" | "text", by: string) => traced.map((it) => it[part]).join(by);
  return {
    ...{ bridge, flow, hops: traced.flatMap(({ hops }) => hops), outputs: [...outputs] },
    ...{ actions: joined("actions", " | "), text: joined("text", "\n") },
  };
}

/** Where what leaves by a port comes in again, as that is an end of a pipe: of an impaired nic or link, or of an a2b. */
function farEnd(site: Site, vswitch: Switch, port: string) {
  const piped = pipeEnd(port);
  const passage = site
    .view()
    .nodes.find(({ kind, nics }) => kind === "a2b" && nics.some((nic) => nic.port === port && nic.port !== ""));
  const name = piped ?? passage?.nics.find((nic) => nic.port !== port)?.port;
  if (name === undefined) return undefined;
  for (const { name: bridge, external_ids } of vswitch.table("Bridge")) {
    if (external_ids.get(OWNER) !== site.yard) continue;
    const ofport = portsOf(vswitch, bridge).find((it) => it.name === name)?.ofport ?? null;
    if (ofport !== null) return { name, bridge, ofport };
  }
  return undefined;
}

function hopOf({ bridge, steps }: TracedBridge, by: string | null) {
  return { bridge, by, steps: steps.map(({ table, rule, does }) => ({ table, rule, does: [...does] })) };
}

/** @throws YardError `switch.bridge-unknown` */
function bridgePorts(site: Site, vswitch: Switch, bridge: string): z.infer<typeof port>[] {
  const row = vswitch.table("Bridge").find({ name: bridge });
  // Others' bridges on the host's switch are none of the yard's business.
  if (row?.external_ids.get(OWNER) !== site.yard)
    throw new YardError("switch.bridge-unknown", `yard ${site.yard} has no bridge "${bridge}" on its switch`);
  return portsOf(vswitch, bridge);
}

function portsOf(vswitch: Switch, bridge: string): z.infer<typeof port>[] {
  const row = vswitch.table("Bridge").find({ name: bridge });
  return [...(row?.ports ?? [])]
    .flatMap((uuid) => vswitch.table("Port").get(uuid) ?? [])
    .filter(({ name }) => name !== bridge)
    .map(({ name, interfaces, external_ids }) => {
      const [first] = interfaces;
      const ofport = first === undefined ? undefined : vswitch.table("Interface").get(first)?.ofport;
      return { name, ofport: ofport === undefined ? null : Number(ofport), purpose: external_ids.get(PURPOSE) ?? "" };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
