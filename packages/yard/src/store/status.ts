/**
 * The `status` columns: what the agent tells about a row. A map of strings, whose keys are defined here alone, for the
 * one who writes them and all who read them.
 */
import { type Cidr, type Ip, parseCidr, parseIp } from "@switchyard/base";
import type { Database, Uuid } from "@switchyard/ovsdb";
import { repeat } from "./repeat.ts";
import type { SwitchyardTables } from "./switchyard.gen.ts";

/** Why a row is not as declared. */
export interface Failure {
  /** The stable code of the error, `runtime.image-absent`. */
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

/**
 * `pending`: the agent has not come to it. `starting`: it works on it. `running`: as declared. `exited`: its first process
 * has ended. `stopped`: it is not to run, and does not. `failed`: see the failure.
 */
export type NodeStateWord = "pending" | "starting" | "running" | "exited" | "stopped" | "failed";
export interface NodeStatus {
  readonly state: NodeStateWord;
  readonly failure: Failure | undefined;
  /** Of the container's first process, or of QEMU. */
  readonly pid: number | undefined;
  readonly exitCode: number | undefined;
  /** Of a virtual machine that has ended: why, in QEMU's word; undefined where that is not known, as it was killed. */
  readonly reason: string | undefined;
  /** Of a virtual machine that runs: whether it stands still. */
  readonly paused: boolean;
  /** What a virtual machine runs by: `kvm`, or `tcg` with the reason. */
  readonly accelerator: string | undefined;
  /** The name of its namespace in `/run/netns`. */
  readonly namespace: string | undefined;
  /** The engine's id of the container. */
  readonly container: string | undefined;
  /** The agent's mark of which commands of the node it has run, in which life of it. */
  readonly commands: string | undefined;
}

/** What a DHCP server has granted. */
export interface LeaseStatus {
  readonly address: Cidr;
  readonly server: Ip | undefined;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export interface NicStatus {
  /** `down`: its node is stopped. */
  readonly state: "pending" | "up" | "down" | "failed";
  readonly failure: Failure | undefined;
  /** The name of its port and the number that the switch gave it. */
  readonly port: string | undefined;
  readonly ofport: number | undefined;
  /** Of a NIC of the host's: it may have its own, whatever the store has for the nic. */
  readonly mac: string | undefined;
  /** What a ZeroTier network has assigned; empty for other nics. */
  readonly assigned: readonly string[];
  /** Of a nic that is addressed by DHCP. */
  readonly lease: LeaseStatus | undefined;
  /** What impairs its frames, where something does. */
  readonly impairedBy: "netem" | "relay" | undefined;
}

export interface NetworkStatus {
  readonly state: "pending" | "up" | "failed";
  readonly failure: Failure | undefined;
  readonly bridge: string | undefined;
}

export interface BridgeStatus {
  readonly state: "pending" | "up" | "failed";
  readonly failure: Failure | undefined;
}

export interface HostStatus {
  /** What keeps the agent from applying anything. */
  readonly failure: Failure | undefined;
}

type StatusMap = ReadonlyMap<string, string>;

function nodeStatusMap(status: NodeStatus): StatusMap {
  return toMap({
    state: status.state,
    ...failureEntries(status.failure),
    pid: status.pid,
    exit_code: status.exitCode,
    reason: status.reason,
    paused: status.paused ? "true" : undefined,
    accelerator: status.accelerator,
    namespace: status.namespace,
    container: status.container,
    commands: status.commands,
  });
}

export function nodeStatus(map: StatusMap): NodeStatus {
  return {
    state: nodeState(map.get("state")),
    failure: statusFailure(map),
    pid: numberOf(map.get("pid")),
    exitCode: numberOf(map.get("exit_code")),
    reason: map.get("reason"),
    paused: map.get("paused") === "true",
    accelerator: map.get("accelerator"),
    namespace: map.get("namespace"),
    container: map.get("container"),
    commands: map.get("commands"),
  };
}

function nodeState(text: string | undefined): NodeStateWord {
  switch (text) {
    case "starting":
    case "running":
    case "exited":
    case "stopped":
    case "failed":
      return text;
    default:
      return "pending";
  }
}

function nicStatusMap(status: NicStatus): StatusMap {
  const { state, port, ofport, mac, lease, impairedBy, assigned } = status;
  const granted = lease && {
    lease_address: lease.address,
    lease_server: lease.server,
    lease_expires: new Date(lease.expires).toISOString(),
  };
  const fixed = { port, ofport, mac, impaired_by: impairedBy, assigned: assigned.join(" ") || undefined };
  return toMap({ state, ...failureEntries(status.failure), ...fixed, ...granted });
}

export function nicStatus(map: StatusMap): NicStatus {
  const by = map.get("impaired_by");
  return {
    state: map.get("state") === "down" ? "down" : upOrFailed(map),
    failure: statusFailure(map),
    port: map.get("port"),
    ofport: numberOf(map.get("ofport")),
    mac: map.get("mac"),
    assigned: map.get("assigned")?.split(" ") ?? [],
    lease: leaseOf(map),
    impairedBy: by === "netem" || by === "relay" ? by : undefined,
  };
}

function leaseOf(map: StatusMap): LeaseStatus | undefined {
  const address = map.get("lease_address");
  const expires = Date.parse(map.get("lease_expires") ?? "");
  if (address === undefined || Number.isNaN(expires)) return undefined;
  const server = map.get("lease_server");
  return { address: parseCidr(address), server: server === undefined ? undefined : parseIp(server), expires };
}

function networkStatusMap(status: NetworkStatus): StatusMap {
  return toMap({ state: status.state, ...failureEntries(status.failure), bridge: status.bridge });
}

export function networkStatus(map: StatusMap): NetworkStatus {
  return { state: upOrFailed(map), failure: statusFailure(map), bridge: map.get("bridge") };
}

function bridgeStatusMap({ state, failure }: BridgeStatus): StatusMap {
  return toMap({ state, ...failureEntries(failure) });
}

export function bridgeStatus(map: StatusMap): BridgeStatus {
  return { state: upOrFailed(map), failure: statusFailure(map) };
}

function hostStatusMap(status: HostStatus): StatusMap {
  return toMap(failureEntries(status.failure));
}

export function hostStatus(map: StatusMap): HostStatus {
  return { failure: statusFailure(map) };
}

/** What the agent has found out, by the uuid of the row that it is about. */
export interface StatusReport {
  readonly nodes?: ReadonlyMap<Uuid, NodeStatus>;
  readonly nics?: ReadonlyMap<Uuid, NicStatus>;
  readonly networks?: ReadonlyMap<Uuid, NetworkStatus>;
  readonly bridges?: ReadonlyMap<Uuid, BridgeStatus>;
  readonly host?: {
    readonly uuid: Uuid;
    readonly status: HostStatus;
    /** The `next_cfg` that this host is now at. */
    readonly curCfg?: number;
    readonly datapath?: string;
    readonly agentPid?: number | undefined;
  };
}

/**
 * Writes what differs from the rows, in one transaction; rows that are gone are passed over.
 *
 * @returns whether anything was written
 * @throws OvsdbError
 */
export function writeStatus(
  db: Database<SwitchyardTables>,
  report: StatusReport,
  signal?: AbortSignal,
): Promise<boolean> {
  return repeat(() => writeDifference(db, report, signal));
}

async function writeDifference(
  db: Database<SwitchyardTables>,
  report: StatusReport,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const changes = [
    ...changed(db, "Node", report.nodes, nodeStatusMap),
    ...changed(db, "Nic", report.nics, nicStatusMap),
    ...changed(db, "Network", report.networks, networkStatusMap),
    ...changed(db, "Bridge", report.bridges, bridgeStatusMap),
  ];
  const host = report.host && hostChange(db, report.host);
  if (changes.length === 0 && host === undefined) return false;
  await db.transact(
    (tx) => {
      // One may have gone by the time that its turn comes, or comes again.
      for (const { table, uuid, status } of changes) if (db.table(table).get(uuid)) tx.update(table, uuid, { status });
      if (report.host && host) tx.update("Host", report.host.uuid, host);
    },
    signal === undefined ? {} : { signal },
  );
  return true;
}

function* changed<S>(
  db: Database<SwitchyardTables>,
  table: "Node" | "Nic" | "Network" | "Bridge",
  statuses: ReadonlyMap<Uuid, S> | undefined,
  encode: (status: S) => StatusMap,
) {
  const rows = db.table(table);
  for (const [uuid, it] of statuses ?? []) {
    const row = rows.get(uuid);
    const status = encode(it);
    if (row && !sameMap(row.status, status)) yield { table, uuid, status };
  }
}

function hostChange(db: Database<SwitchyardTables>, report: NonNullable<StatusReport["host"]>) {
  const row = db.table("Host").get(report.uuid);
  if (row === undefined) return undefined;
  const status = hostStatusMap(report.status);
  const curCfg = report.curCfg ?? row.cur_cfg;
  const datapath = report.datapath ?? row.datapath;
  const pid = "agentPid" in report ? report.agentPid : row.agent_pid;
  if (sameMap(row.status, status) && row.cur_cfg === curCfg && row.datapath === datapath && row.agent_pid === pid)
    return undefined;
  return { status, cur_cfg: curCfg, datapath, agent_pid: pid };
}

function failureEntries(failure: Failure | undefined) {
  return { error: failure?.message, error_code: failure?.code, hint: failure?.hint };
}

/** Of the `status` of any row: why it is not as declared. */
export function statusFailure(map: StatusMap): Failure | undefined {
  const message = map.get("error");
  if (message === undefined) return undefined;
  return { code: map.get("error_code") ?? "internal.unexpected", message, hint: map.get("hint") };
}

function upOrFailed(map: StatusMap): "pending" | "up" | "failed" {
  const state = map.get("state");
  return state === "up" || state === "failed" ? state : "pending";
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text);
}

function toMap(entries: Readonly<Record<string, string | number | undefined>>): StatusMap {
  const map = new Map<string, string>();
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) map.set(key, String(value));
  return map;
}

function sameMap(a: StatusMap, b: StatusMap): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
