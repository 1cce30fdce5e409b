/** What answers look like. The types are the yard's own; the compiler holds these schemas to them. */
import type { CheckResult, PairResult } from "@switchyard/yard/checks";
import type { Finding } from "@switchyard/yard/doctor";
import type {
  BridgeView,
  Failure,
  ImpairView,
  LabView,
  LeasedView,
  LinkView,
  NetworkView,
  NicView,
  NodeView,
  YardView,
} from "@switchyard/yard/view";
import { z } from "zod";

const text = z.string();
const orNull = <T extends z.ZodType>(schema: T) => z.union([schema, z.null()]);
const texts = z.array(text);
const count = z.number().int().min(0);

export const failure = z
  .strictObject({
    code: text.describe("Stable; docs/errors.md lists all."),
    message: text,
    hint: orNull(text).describe("What to do about it."),
  })
  .meta({ id: "Failure" }) satisfies z.ZodType<Failure>;

export const impair = z
  .strictObject({
    by: orNull(z.enum(["netem", "relay"])).describe("What does it; null until it is done."),
    forward: z.record(text, text).describe("From a nic's node, or from the first end of a link."),
    backward: z.record(text, text),
  })
  .meta({ id: "Impairment" }) satisfies z.ZodType<ImpairView>;

export const counters = z
  .strictObject({
    rxPackets: count,
    rxBytes: count,
    rxDropped: count,
    rxErrors: count,
    txPackets: count,
    txBytes: count,
    txDropped: count,
    txErrors: count,
  })
  .meta({ id: "Counters", description: "What has passed a port, as the switch sees it: `rx` is what it was sent." });

const lease = z.strictObject({ address: text, server: orNull(text), expires: z.iso.datetime() }).meta({ id: "Lease" });

/** An address that a nat has leased. */
const leased = z
  .strictObject({
    address: text,
    node: orNull(text),
    mac: orNull(text),
    name: orNull(text),
    expires: z.iso.datetime(),
  })
  .meta({ id: "Leased" }) satisfies z.ZodType<LeasedView>;

export const nic = z
  .strictObject({
    name: text,
    index: count.describe("Its number in the node; it may be named by it."),
    network: orNull(text),
    link: orNull(text).describe("The wire that it is an end of."),
    mac: text,
    addresses: texts,
    port: text.describe("The port of the switch; empty until it is made."),
    bridge: text,
    parent: orNull(text).describe("The NIC of the host that it is, or is on."),
    ofport: orNull(z.number().int()),
    spy: orNull(text).describe("The interface that shows what passes there."),
    mtu: orNull(count),
    vlan: orNull(count),
    trunks: z.array(count),
    dhcp: z.boolean(),
    lease: orNull(lease),
    monitor: z.boolean(),
    counters: orNull(counters).describe("Of a nic that is monitored, when the node is asked for by itself."),
    impair: orNull(impair),
    state: text,
    error: orNull(failure),
  })
  .meta({ id: "Nic" }) satisfies z.ZodType<NicView>;

export const node = z
  .strictObject({
    name: text,
    lab: orNull(text),
    kind: text,
    runtime: orNull(text),
    state: text,
    error: orNull(failure),
    pid: orNull(count),
    exitCode: orNull(z.number().int()),
    reason: orNull(text),
    paused: z.boolean(),
    stopped: z.boolean().describe("Whether it is not to run, until it is started."),
    accelerator: orNull(text),
    since: orNull(z.number()).describe("When it came up, in milliseconds since the epoch."),
    objId: count,
    namespace: text,
    image: orNull(text),
    command: texts,
    ports: texts,
    nics: z.array(nic),
    impair: orNull(impair),
    to: orNull(text),
    subnets: texts,
    leased: orNull(z.array(leased)).describe("What a nat has leased, when the node is asked for by itself."),
  })
  .meta({ id: "Node" }) satisfies z.ZodType<NodeView>;

export const network = z
  .strictObject({
    name: text,
    lab: orNull(text),
    type: text,
    id: orNull(count).describe("The number of a vlan or vxlan."),
    master: orNull(text).describe("Of a vlan: the network, or the bridge of the switch, that it is one VLAN of."),
    cidr: texts,
    gateway: texts,
    mtu: orNull(count),
    bridge: text,
    parent: orNull(text),
    state: text,
    error: orNull(failure),
  })
  .meta({ id: "Network" }) satisfies z.ZodType<NetworkView>;

export const link = z
  .strictObject({ name: text, lab: orNull(text), mtu: orNull(count), impair: orNull(impair) })
  .meta({ id: "Link" }) satisfies z.ZodType<LinkView>;

export const lab = z
  .strictObject({ name: text, file: text, state: z.enum(["up", "pending", "failed"]) })
  .meta({ id: "Lab" }) satisfies z.ZodType<LabView>;

export const hostBridge = z
  .strictObject({
    name: text,
    mac: orNull(text),
    mode: z.enum(["none", "static", "dnsmasq"]),
    cidr: orNull(text),
    start: orNull(text),
    end: orNull(text),
    nat: z.boolean(),
    nics: texts,
    hosts: z.array(z.strictObject({ ip: text, mac: text })),
    state: text,
    error: orNull(failure),
  })
  .meta({ id: "HostBridge" }) satisfies z.ZodType<BridgeView>;

export const yard = z
  .strictObject({
    yard: text,
    agent: orNull(count).describe("Process id of the agent."),
    datapath: text,
    error: orNull(failure),
    labs: z.array(lab),
    networks: z.array(network),
    nodes: z.array(node),
    links: z.array(link),
    bridges: z.array(hostBridge),
  })
  .meta({ id: "Yard" }) satisfies z.ZodType<YardView>;

export const checkResult = z
  .strictObject({
    lab: text,
    name: text,
    type: z.enum(["ping", "tcp", "exec"]),
    expect: z.enum(["pass", "fail"]),
    ok: z.boolean(),
    found: text,
    milliseconds: z.number(),
  })
  .meta({ id: "CheckResult" }) satisfies z.ZodType<CheckResult>;

export const pair = z
  .strictObject({ from: text, to: text, roundTrip: orNull(z.number()).describe("Milliseconds; null: no reply.") })
  .meta({ id: "Pair" }) satisfies z.ZodType<PairResult>;

export const finding = z
  .strictObject({
    name: text,
    state: z.enum(["ok", "limited", "missing"]),
    found: text,
    purpose: text,
    remedy: text.or(z.undefined()).optional(),
    essential: z.boolean(),
  })
  .meta({ id: "Finding" }) satisfies z.ZodType<Omit<Finding, "remedy">>;

export const step = z
  .strictObject({
    text: text.describe("`+` is made, `-` goes, `~` changes."),
    do: text.describe("What is done, in the agent's word."),
    subject: text.describe("Whom it is for: `node web`, `nic web:eth0`, `network lan01`."),
  })
  .meta({ id: "Step" });

const changedRow = z.strictObject({ what: z.enum(["network", "node", "link", "bridge"]), name: text });
export const changes = z
  .strictObject({ added: z.array(changedRow), changed: z.array(changedRow), removed: z.array(changedRow) })
  .meta({ id: "Changes" });

export const subject = z.looseObject({ kind: text }).meta({ id: "Subject" });
const rowFailure = z
  .strictObject({ subject, code: text, message: text, hint: text.optional() })
  .meta({ id: "RowFailure" });

/** What a change has come to. */
export const changeReply = z
  .strictObject({
    changed: orNull(z.boolean()).describe("Whether anything was different before; null: not tried."),
    plan: orNull(z.array(step)).describe("With `dry_run`: what would be done."),
    milliseconds: z.number(),
  })
  .meta({ id: "Change" });

export const labReply = z
  .strictObject({
    lab: text,
    cfg: orNull(count).describe("The number of the state that was written; events tell when it is applied."),
    changes,
    failures: z.array(rowFailure).describe("What could not be had: it stays declared, and is tried again."),
    plan: orNull(z.array(step)),
    previous: orNull(text).describe("The lab's text before: declared again, it undoes the change."),
    etag: orNull(text),
    milliseconds: z.number(),
  })
  .meta({ id: "LabChange" });

/** A step of the history. */
export const historyStep = z
  .strictObject({
    id: z.int(),
    at: z.iso.datetime(),
    who: text.describe("The name of the token."),
    what: text.describe("In words: `stop web`, `change lab office`."),
    changes,
    text: orNull(text).describe("The lab whose text it has changed."),
    undone: z.boolean(),
  })
  .meta({ id: "HistoryStep" });

export const historyReply = z
  .strictObject({
    step: historyStep,
    cfg: orNull(count).describe("The number of the state that was written."),
    changes: changes.describe("What is changed by it now."),
    failures: z.array(rowFailure).describe("What could not be had: it stays declared, and is tried again."),
    plan: orNull(z.array(step)).describe("With `dry_run`: what would be done."),
    text: orNull(text).describe("The text that the lab of the step comes to have."),
    milliseconds: z.number(),
  })
  .meta({ id: "HistoryChange" });

export type HistoryStep = z.infer<typeof historyStep>;
export type HistoryReply = z.infer<typeof historyReply>;
export type ChangeReply = z.infer<typeof changeReply>;
export type LabReply = z.infer<typeof labReply>;
export type Step = z.infer<typeof step>;
