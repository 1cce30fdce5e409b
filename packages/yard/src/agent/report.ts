import type { YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import type { Accelerator, ContainerState, VmState } from "@switchyard/runtime";
import type { ObservedPort } from "@switchyard/vswitch";
import { isJoint } from "../model/joints.ts";
import type { NetworkEntry, NicEntry, NodeEntry, Rows } from "../store/rows.ts";
import type { BridgeStatus, Failure, NetworkStatus, NicStatus, NodeStatus, StatusReport } from "../store/status.ts";
import type { Failure as Blamed } from "./blame.ts";
import { dhcpClientId } from "./desire-dhcp.ts";
import { isPlain } from "./desire-plain.ts";
import { isEncrypted } from "./desire-tunnel.ts";
import { type Membership, membershipKey, zerotierNics } from "./desire-zerotier.ts";
import type { HostFacts } from "./host-facts.ts";
import { networkBridge, nicDevice, nicPort, nodeNamespace } from "./names.ts";
import type { ExecMark } from "./observe.ts";
import type { State } from "./state.ts";
import { purposeOf, type Subject } from "./subject.ts";

/** What a convergence has found out. */
export interface Findings {
  readonly desired: State;
  readonly failures: readonly Blamed[];
  /** By node: those that run or have ended. */
  readonly containers: ReadonlyMap<string, ContainerState>;
  /** By node, as containers. */
  readonly machines: ReadonlyMap<string, VmState>;
  readonly ports: ReadonlyMap<string, ObservedPort>;
  /** Of the NICs of the host's that are in nodes, by the name that their port would have. */
  readonly macs: ReadonlyMap<string, string>;
  readonly marks: ReadonlyMap<string, ExecMark>;
  /** What zerotier-one tells of each membership. */
  readonly memberships: ReadonlyMap<string, Membership>;
  /** The nodes whose container or virtual machine has just been stopped. */
  readonly stopped: ReadonlySet<string>;
  /** By node of kind c2c: why it is not joined to its other end. */
  readonly apart: ReadonlyMap<string, string>;
  /** What impairs, by the purpose of the pipe. */
  readonly impairedBy: ReadonlyMap<string, "netem" | "relay">;
}

/** The status of every row of this host but of plain nodes that have been told of as they are. */
export function reportOf(
  rows: Rows,
  { host, yard, leases, wireguard }: Pick<HostFacts, "host" | "yard" | "leases" | "wireguard">,
  findings: Findings,
): Required<Pick<StatusReport, "nodes" | "nics" | "networks" | "bridges">> {
  const failures = new Map(findings.failures.map(({ subject, error }) => [purposeOf(subject), failureOf(error)]));
  const blamed = (subject: Subject) => failures.get(purposeOf(subject));
  const nodes = new Map<Uuid, NodeStatus>();
  const nics = new Map<Uuid, NicStatus>();
  const networks = new Map<Uuid, NetworkStatus>();
  const networkOf = new Map(rows.networks.map((network) => [network.name, network]));
  for (const node of rows.nodes) {
    if (node.host !== host) continue;
    if (failures.size === 0 && isPlain(node, networkOf) && isTold(node, yard, findings)) continue;
    const status = nodeStatusOf(node, { yard, wireguard }, findings, blamed({ kind: "node", node: node.name }));
    nodes.set(node.uuid, status);
    const joined = new Map(
      zerotierNics(node, networkOf).map(({ nic, nwid }) => [nic, findings.memberships.get(membershipKey(node, nwid))]),
    );
    for (const nic of node.nics) {
      const lease = nic.dhcp ? leases.get(dhcpClientId(node, nic)) : undefined;
      const own = nicStatusOf(node, nic, findings, blamed, status, yard);
      const assigned = joined.get(nic)?.addresses ?? [];
      const state = own.state === "pending" && assigned.length > 0 ? "up" : own.state;
      nics.set(nic.uuid, { ...own, state, lease, assigned });
    }
  }
  for (const network of rows.networks)
    networks.set(network.uuid, networkStatusOf(network, findings, blamed({ kind: "network", network: network.name })));
  const bridges = new Map<Uuid, BridgeStatus>();
  for (const bridge of rows.bridges) {
    if (bridge.host !== host) continue;
    const failure = blamed({ kind: "bridge", bridge: bridge.name });
    bridges.set(bridge.uuid, { state: failure ? "failed" : "up", failure });
  }
  return { nodes, nics, networks, bridges };
}

/** Whether the rows of a plain node that runs, and that nothing has failed of, say so already. */
function isTold({ name, objId, spec, nics, status }: NodeEntry, yard: string, findings: Findings): boolean {
  if (findings.marks.has(name) || status.state !== "running" || status.namespace !== nodeNamespace(yard, name))
    return false;
  // Its state and its namespace.
  if (saidIn(status) !== 2) return false;
  return nics.every(({ index, status: told }) => {
    const port = nicPort({ objId, spec }, index);
    const ofport = findings.ports.get(port)?.ofport;
    if (ofport === undefined || !findings.desired.ports.has(port)) return false;
    if (told.state !== "up" || told.port !== port || told.ofport !== ofport || told.assigned.length > 0) return false;
    // These four.
    return saidIn(told) === 4;
  });
}

/** How much a status says. */
function saidIn(status: object): number {
  let count = 0;
  for (const value of Object.values(status)) if (value !== undefined && value !== false) count++;
  return count;
}

/** What keeps the whole host from being as desired: failures that concern no row. */
export function hostFailure(failures: readonly Blamed[]): Failure | undefined {
  const found = failures.find(({ subject }) => subject.kind === "yard" || subject.kind === "lab");
  return found && failureOf(found.error);
}

export function failureOf(error: YardError): Failure {
  return { code: error.code, message: error.message, hint: error.hint };
}

/** A command that failed stays failed: it is not run again by itself. */
function commandFailure(node: NodeEntry, mark: ExecMark | undefined): Failure | undefined {
  const { failure } = node.status;
  return mark?.failed && failure?.code === "node.exec-failed" ? failure : undefined;
}

function nodeStatusOf(
  node: NodeEntry,
  { yard, wireguard }: Pick<HostFacts, "yard" | "wireguard">,
  findings: Findings,
  told: Failure | undefined,
): NodeStatus {
  if (node.stopped !== undefined) return stoppedStatusOf(node, findings, told);
  const container = findings.containers.get(node.name);
  const machine = findings.machines.get(node.name);
  const { status } = container ?? machine ?? {};
  const exited = status === "exited" || status === "dead" || isUnplugged(node, findings);
  const { kind } = node.spec;
  const absence = findings.apart.get(node.name);
  const joined = kind === "c2c" && absence === undefined;
  const running =
    kind === "netns" ||
    kind === "guest" ||
    kind === "a2b" ||
    kind === "tap" ||
    kind === "nat" ||
    kind === "phy" ||
    joined ||
    status === "running" ||
    status === "paused";
  // A node that no longer has commands has none that failed.
  const mark = node.spec.exec.length > 0 ? findings.marks.get(node.name) : undefined;
  const failure = told ?? commandFailure(node, mark);
  return {
    state: failure ? "failed" : exited ? "exited" : running ? "running" : "pending",
    failure,
    pid: container?.pid ?? machine?.pid,
    exitCode: container?.exitCode,
    reason: absence ?? machine?.reason,
    paused: machine?.status === "paused",
    accelerator: runner(node, wireguard) ?? (machine?.accelerator && acceleratorText(machine.accelerator)),
    namespace: kind === "guest" || kind === "vm" || isJoint(node.spec) ? undefined : nodeNamespace(yard, node.name),
    container: node.spec.kind === "guest" ? node.spec.container : container?.id,
    commands: mark && formatMark(mark),
  };
}

/** One that is not to run: nothing of its last life is told, but that of a container which cannot be ended. */
function stoppedStatusOf(
  { name }: NodeEntry,
  { containers, machines, stopped }: Findings,
  failure: Failure | undefined,
): NodeStatus {
  const runner = containers.get(name) ?? machines.get(name);
  const lives = runner?.pid !== undefined && !stopped.has(name);
  return {
    ...{ state: failure ? "failed" : lives ? "running" : "stopped", failure },
    pid: lives ? runner?.pid : undefined,
    container: containers.get(name)?.id,
    ...{ exitCode: undefined, reason: undefined, accelerator: undefined, namespace: undefined, commands: undefined },
    paused: false,
  };
}

/** Whether somebody's container has none of its nics: whoever runs it takes their ports away with its end. */
function isUnplugged({ spec }: NodeEntry, { ports }: Findings): boolean {
  return spec.kind === "guest" && spec.plugs.length > 0 && !spec.plugs.some((port) => ports.has(port));
}

/** What encrypts a link to another host. */
function runner({ spec }: NodeEntry, wireguard: HostFacts["wireguard"]): string | undefined {
  if (spec.kind !== "c2c" || !isEncrypted(spec.to)) return undefined;
  return wireguard === "kernel" ? "WireGuard of the kernel" : "wireguard-go";
}

/** `kvm`, or `tcg` and why. */
function acceleratorText({ name, reason }: Accelerator): string {
  return reason === "" ? name : `${name}: ${reason}`;
}

function nicStatusOf(
  node: NodeEntry,
  nic: NicEntry,
  findings: Findings,
  blamed: (subject: Subject) => Failure | undefined,
  status: NodeStatus,
  yard: string,
): Omit<NicStatus, "lease" | "assigned"> {
  const port = nicPort(node, nic.index);
  const observed = findings.ports.get(port);
  const failure =
    blamed({ kind: "nic", node: node.name, nic: nic.name }) ??
    (nic.link === undefined ? undefined : blamed({ kind: "link", link: nic.link }));
  // The device of a phy is a port, as others' are.
  const link = findings.desired.ports.has(port) ? undefined : findings.desired.links.get(port);
  const hosted = nicDevice(yard, port);
  const onHost = link !== undefined || findings.desired.taps.has(hosted);
  const plugged = onHost || (observed?.ofport !== undefined && observed.ofport >= 0);
  const up = status.state === "running" && plugged;
  const state = failure ? "failed" : up ? "up" : node.stopped !== undefined ? "down" : "pending";
  if (link) {
    const near = link.making.kind === "bridged" ? nicDevice(yard, port) : undefined;
    return { state, failure, port: near, ofport: undefined, mac: findings.macs.get(port), impairedBy: undefined };
  }
  if (onHost) return { state, failure, port: hosted, ofport: undefined, mac: undefined, impairedBy: undefined };
  const subject: Subject =
    node.spec.kind === "a2b"
      ? { kind: "node", node: node.name }
      : nic.link === undefined
        ? { kind: "nic", node: node.name, nic: nic.name }
        : { kind: "link", link: nic.link };
  const impairedBy = findings.impairedBy.get(purposeOf(subject));
  return { state, failure, port, ofport: observed?.ofport, mac: findings.macs.get(port), impairedBy };
}

function networkStatusOf(network: NetworkEntry, findings: Findings, failure: Failure | undefined): NetworkStatus {
  if (network.type === "macvlan" || network.type === "passthrough" || network.type === "zerotier")
    return { state: failure ? "failed" : "up", failure, bridge: undefined };
  const bridge = networkBridge(network);
  const there = network.type === "bridge" || findings.desired.bridges.has(bridge);
  return { state: failure ? "failed" : there ? "up" : "pending", failure, bridge };
}

/** The marks that the nodes' commands have left in their rows, by node. */
export function marksOf(rows: Rows): Map<string, ExecMark> {
  const marks = new Map<string, ExecMark>();
  for (const { name, status } of rows.nodes) {
    const mark = status.commands === undefined ? undefined : parseMark(status.commands);
    if (mark) marks.set(name, mark);
  }
  return marks;
}

/** The mark of a node's commands as its status keeps it. */
function formatMark(mark: ExecMark): string {
  return `${mark.life} ${mark.hash} ${mark.failed ? "failed" : "done"}`;
}

/** The inverse of {@link formatMark}. */
function parseMark(text: string): ExecMark | undefined {
  const [life, hash, end] = text.split(" ");
  if (life === undefined || hash === undefined || (end !== "failed" && end !== "done")) return undefined;
  return { life, hash, failed: end === "failed" };
}
