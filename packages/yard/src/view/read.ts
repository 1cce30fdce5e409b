import { family } from "@switchyard/base";
import { portName, spyName } from "@switchyard/vswitch";
import { writtenSettings } from "../model/impair.ts";
import type { C2cSpec, ImpairSpec, PortForward, VmSpec } from "../model/types.ts";
import type { LinkEntry, NicEntry, NodeEntry, Rows } from "../store/rows.ts";
import type { Failure as RowFailure } from "../store/status.ts";
import type {
  BridgeView,
  Failure,
  ImpairView,
  LabView,
  LeaseView,
  LinkView,
  NetworkView,
  NicView,
  NodeView,
  YardView,
} from "./types.ts";

/** When a process began, in milliseconds since the epoch; undefined when it is gone. */
export type Began = (pid: number) => number | undefined;

/** The store's rows as people see them. */
export function viewOf(yard: string, rows: Rows, began: Began): YardView {
  const [host] = rows.hosts;
  const networks = rows.networks.map(
    (row): NetworkView => ({
      name: row.name,
      lab: row.lab ?? null,
      type: row.type,
      id: row.type === "vlan" || row.type === "vxlan" ? row.id : null,
      master: row.type === "vlan" ? row.master : null,
      cidr: row.cidr,
      gateway: row.gateway,
      mtu: row.mtu ?? null,
      bridge: row.status.bridge ?? "",
      parent: row.type === "macvlan" || row.type === "passthrough" ? row.parent : null,
      state: row.status.state,
      error: failure(row.status.failure),
    }),
  );
  const byName = new Map(networks.map((network) => [network.name, network]));
  const nodes = rows.nodes.map((row) => nodeView(row, byName, began));
  return {
    yard,
    agent: host?.agentPid ?? null,
    datapath: host?.datapath ?? "",
    error: failure(host?.status.failure),
    labs: rows.labs.map((row) => labView(row.name, row.file, networks, nodes)),
    networks,
    nodes,
    links: rows.links.map((row) => linkView(row, rows.nodes)),
    bridges: rows.bridges.map(bridgeView),
  };
}

function bridgeView({ name, mac, service, nat, members, pins, status }: Rows["bridges"][number]): BridgeView {
  const leases = service.mode === "dnsmasq" ? service : undefined;
  return {
    name,
    mac: mac ?? null,
    mode: service.mode,
    cidr: service.mode === "none" ? null : service.cidr,
    start: leases?.start ?? null,
    end: leases?.end ?? null,
    nat,
    nics: members,
    hosts: pins,
    state: status.state,
    error: failure(status.failure),
  };
}

function nodeView(row: NodeEntry, networks: ReadonlyMap<string, NetworkView>, began: Began): NodeView {
  const { spec, status } = row;
  const container = spec.kind === "container" ? spec : undefined;
  const plugs = spec.kind === "guest" ? spec.plugs : [];
  return {
    name: row.name,
    lab: row.lab ?? null,
    kind: spec.kind,
    runtime: "runtime" in spec ? spec.runtime : null,
    state: status.state,
    error: failure(status.failure),
    pid: status.pid ?? null,
    exitCode: status.exitCode ?? null,
    reason: status.reason ?? null,
    paused: status.paused,
    stopped: row.stopped !== undefined,
    accelerator: status.accelerator ?? null,
    since: status.state !== "running" || status.pid === undefined ? null : (began(status.pid) ?? null),
    objId: row.objId,
    namespace: status.namespace ?? "",
    image: spec.kind === "vm" ? bootedFrom(spec) : (container?.image ?? container?.rootfs ?? null),
    command: container?.command ?? [],
    ports: spec.ports.map(portText),
    nics: row.nics.map((nic) => nicView(plugs[nic.index] ?? portName(row.objId, nic.index), nic, networks)),
    impair: spec.kind === "a2b" ? impairView(spec.impair, row.nics[0]?.status.impairedBy) : null,
    to: spec.kind === "c2c" ? targetText(spec.to) : null,
    subnets: spec.kind === "nat" ? spec.cidr : [],
    leased: null,
  };
}

/** The image that a machine is known by. */
function bootedFrom({ disks, kernel, isos }: Pick<VmSpec, "disks" | "kernel" | "isos">): string | null {
  return disks[0]?.file ?? kernel?.image ?? isos[0] ?? null;
}

function nicView(port: string, nic: NicEntry, networks: ReadonlyMap<string, NetworkView>): NicView {
  return {
    name: nic.name,
    index: nic.index,
    network: nic.network ?? null,
    link: nic.link ?? null,
    mac: nic.status.mac ?? nic.mac,
    addresses: addressesOf(nic),
    port: nic.status.port ?? "",
    bridge: networks.get(nic.network ?? "")?.bridge ?? "",
    parent: networks.get(nic.network ?? "")?.parent ?? null,
    ofport: nic.status.ofport ?? null,
    spy: nic.spy ? spyName(port) : null,
    mtu: nic.mtu ?? null,
    vlan: nic.vlan ?? null,
    trunks: nic.trunks,
    dhcp: nic.dhcp,
    lease: leaseView(nic),
    monitor: nic.monitor,
    counters: null,
    impair: impairView(nic.impair, nic.status.impairedBy),
    state: nic.status.state,
    error: failure(nic.status.failure),
  };
}

/** Those that it has. What a network keeps for a nic is not its own before a server has given it. */
function addressesOf({ dhcp, addresses, status }: NicEntry): readonly string[] {
  if (status.assigned.length > 0) return status.assigned;
  if (!dhcp) return addresses;
  const others = addresses.filter((address) => family(address) === 6);
  return status.lease === undefined ? others : [status.lease.address, ...others];
}

function leaseView({ status: { lease } }: NicEntry): LeaseView | null {
  return lease === undefined
    ? null
    : { address: lease.address, server: lease.server ?? null, expires: new Date(lease.expires).toISOString() };
}

function linkView(row: LinkEntry, nodes: readonly NodeEntry[]): LinkView {
  const ends = nodes.flatMap(({ nics }) => nics.filter(({ link }) => link === row.name));
  const by = ends.map(({ status }) => status.impairedBy).find((it) => it !== undefined);
  return { name: row.name, lab: row.lab ?? null, mtu: row.mtu ?? null, impair: impairView(row.impair, by) };
}

export function impairView(spec: ImpairSpec | undefined, by: ImpairView["by"] | undefined): ImpairView | null {
  if (spec === undefined) return null;
  return { by: by ?? null, forward: writtenSettings(spec.forward), backward: writtenSettings(spec.backward) };
}

/** `site2:gate`, or `10.2.0.2 (vxlan 77)`. */
function targetText(to: C2cSpec["to"]): string {
  return to.type === "yard"
    ? `${to.yard}:${to.node}`
    : `${to.peer} (vxlan ${to.id}${to.encrypt === undefined ? "" : `, encrypted to ${to.encrypt.key}`})`;
}

/** What is as it is declared: of a node that is stopped, too. */
const SETTLED = new Set(["running", "up", "stopped", "down"]);

function labView(name: string, file: string, networks: readonly NetworkView[], nodes: readonly NodeView[]): LabView {
  const own = [
    ...networks.filter(({ lab }) => lab === name),
    ...nodes.filter(({ lab }) => lab === name).flatMap((node) => [node, ...node.nics]),
  ];
  const failed = own.some(({ state, error }) => error !== null || state === "failed" || state === "exited");
  const settled = own.every(({ state }) => SETTLED.has(state));
  return { name, file, state: failed ? "failed" : settled ? "up" : "pending" };
}

/** As `docker ps` writes it: `127.0.0.1:8080->80/tcp`. */
export function portText({ address, target, hostPort, nodePort, protocol }: PortForward): string {
  const at = (place: string | undefined) =>
    place === undefined ? "" : `${place.includes(":") ? `[${place}]` : place}:`;
  return `${at(address)}${hostPort}->${at(target)}${nodePort}/${protocol}`;
}

function failure(row: RowFailure | undefined): Failure | null {
  return row === undefined ? null : { code: row.code, message: row.message, hint: row.hint ?? null };
}
