/** Ports' parts in mirrors, as ovs-cni's producer and consumer have them. Nothing is remembered but the rows of Mirror. */
import { YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import { type BridgeRow, type OpenVSwitchTables, OWNER, PURPOSE, type Switch, waitTaken } from "@switchyard/vswitch";
import type { Call } from "./call.ts";
import type { NetworkConfig } from "./config.ts";
import { CNI_OWNER, findPort, MIRROR } from "./marks.ts";
import type { Mirroring } from "./mirroring.ts";
import type { Request } from "./request.ts";
import type { Result } from "./result.ts";

type MirrorRow = OpenVSwitchTables["Mirror"];
type SwitchTransaction = Parameters<Parameters<Switch["transact"]>[0]>[0];

/**
 * Gives a port its part in mirrors of its bridge; one that is missing is made.
 *
 * @returns the result of the plugin before, as it came
 * @throws YardError `cni.bad-config`, `cni.no-bridge`, `cni.no-port`, `cni.mirror-taken`
 */
export async function addMirrors(call: Call, request: Request, config: NetworkConfig): Promise<Result> {
  const { previous, mirroring } = config;
  if (previous === undefined || mirroring === undefined)
    throw new YardError("cni.bad-config", "prevResult is missing: a port's part in mirrors comes after the port");
  await using opened = await call.open(call.placeOf(config.attachment.switch));
  const { db } = opened;
  const port = portOf(db, request, config);
  if (port === undefined)
    throw new YardError("cni.no-port", `no port of bridge ${config.attachment.bridge} is that of ${request.ifname}`, {
      hint: "put this plugin behind the one that makes the port, and name the same bridge",
    });
  await change(db, config, call, (tx, bridge) => {
    for (const mirror of mirroring.mirrors) {
      const row = mirrorsOf((uuid) => tx.get("Mirror", uuid), bridge).find(({ name }) => name === mirror.name);
      if (mirroring.role === "consumer") refuseTaken(db, row, port);
      const uuid = row?._uuid ?? insert(tx, bridge, mirror.name);
      if (mirroring.role === "consumer") tx.update("Mirror", uuid, { output_port: port });
      else tx.mutate("Mirror", uuid, selection("insert", mirroring, mirror.name, port));
    }
  });
  return previous;
}

/** Takes a port out of mirrors, and mirrors of ours that are empty away. It may be repeated. */
export async function removeMirrors(call: Call, request: Request, config: NetworkConfig): Promise<void> {
  await using opened = await call.open(call.placeOf(config.attachment.switch)).catch((error) => {
    // They are swept with the next that comes.
    if (error instanceof YardError && error.code === "cni.switch-away") return undefined;
    throw error;
  });
  if (opened === undefined) return;
  const { db } = opened;
  const port = portOf(db, request, config);
  const { mirroring } = config;
  await change(db, config, call, (tx, bridge) => {
    if (port === undefined || mirroring === undefined) return;
    for (const { _uuid, name, output_port } of mirrorsOf((uuid) => tx.get("Mirror", uuid), bridge)) {
      if (!mirroring.mirrors.some((mirror) => mirror.name === name)) continue;
      if (mirroring.role === "producer") tx.mutate("Mirror", _uuid, selection("delete", mirroring, name, port));
      else if (output_port === port) tx.update("Mirror", _uuid, { output_port: undefined });
    }
  }).catch((error) => {
    if (!(error instanceof YardError) || error.code !== "cni.no-bridge") throw error;
  });
}

/** @throws YardError `cni.check-failed` with all that differs */
export async function checkMirrors(call: Call, request: Request, config: NetworkConfig): Promise<void> {
  await using opened = await call.open(call.placeOf(config.attachment.switch));
  const { db } = opened;
  const port = portOf(db, request, config);
  const bridge = db.table("Bridge").find({ name: config.attachment.bridge });
  const rows = bridge === undefined ? [] : mirrorsOf((uuid) => db.table("Mirror").get(uuid), bridge);
  const wrong = (config.mirroring?.mirrors ?? []).flatMap((mirror) => {
    const row = rows.find(({ name }) => name === mirror.name);
    if (row === undefined || port === undefined) return [`there is no mirror ${mirror.name} with its port`];
    if (config.mirroring?.role === "consumer")
      return row.output_port === port ? [] : [`mirror ${mirror.name} copies to another port`];
    return [
      ...("ingress" in mirror && mirror.ingress && !row.select_src_port.has(port) ? ["what it sends"] : []),
      ...("egress" in mirror && mirror.egress && !row.select_dst_port.has(port) ? ["what it gets"] : []),
    ].map((what) => `mirror ${mirror.name} does not copy ${what}`);
  });
  if (wrong.length > 0) throw new YardError("cni.check-failed", `${request.ifname}: ${wrong.join("; ")}`);
}

/** GC: no attachment has a part of its own to be known by, but mirrors of ours that have none go. */
export async function sweepMirrors(call: Call, config: NetworkConfig): Promise<void> {
  await using opened = await call.open(call.placeOf(config.attachment.switch));
  await change(opened.db, config, call, () => {});
}

/** One transaction on the bridge, which also takes away what is empty; done when the switch has taken it. */
async function change(
  db: Switch,
  { attachment }: NetworkConfig,
  call: Call,
  body: (tx: SwitchTransaction, bridge: BridgeRow) => void,
): Promise<void> {
  const { signal, timeout = 20_000 } = call.limits;
  const limits = { timeout, ...(signal === undefined ? {} : { signal }) };
  await db.transact((tx) => {
    const bridge = tx.find("Bridge", { name: attachment.bridge });
    const root = tx.single("Open_vSwitch");
    if (bridge === undefined || root === undefined)
      throw new YardError("cni.no-bridge", `there is no bridge ${attachment.bridge}`);
    body(tx, bridge);
    const after = tx.get("Bridge", bridge._uuid);
    const empty =
      after === undefined
        ? []
        : mirrorsOf((uuid) => tx.get("Mirror", uuid), after)
            .filter(isEmptyOfOurs)
            .map(({ _uuid }) => _uuid);
    if (empty.length > 0) tx.mutate("Bridge", bridge._uuid, { mirrors: { delete: empty } });
    tx.increment("Open_vSwitch", root._uuid, "next_cfg");
  }, limits);
  await waitTaken(db, limits);
}

/** The port of the attachment: ours by its marks, another plugin's by the interface that it left on the host. */
function portOf(db: Switch, request: Request, { previous, attachment }: NetworkConfig): Uuid | undefined {
  const bridge = db.table("Bridge").find({ name: attachment.bridge });
  const own = findPort(db, request)?.row;
  const named = (previous?.interfaces ?? [])
    .filter(({ sandbox }) => sandbox === undefined)
    .map(({ name }) => db.table("Port").find({ name }));
  return [own, ...named].find((port) => port !== undefined && bridge?.ports.has(port._uuid))?._uuid;
}

function mirrorsOf(get: (uuid: Uuid) => MirrorRow | undefined, bridge: BridgeRow): MirrorRow[] {
  return [...bridge.mirrors].flatMap((uuid) => get(uuid) ?? []);
}

function insert(tx: SwitchTransaction, bridge: BridgeRow, name: string): Uuid {
  const uuid = tx.insert("Mirror", { name, external_ids: { [OWNER]: CNI_OWNER, [PURPOSE]: MIRROR } });
  tx.mutate("Bridge", bridge._uuid, { mirrors: { insert: [uuid] } });
  return uuid;
}

function refuseTaken(db: Switch, row: MirrorRow | undefined, port: Uuid): void {
  if (row?.output_port === undefined || row.output_port === port) return;
  const by = db.table("Port").get(row.output_port)?.name ?? "another";
  throw new YardError("cni.mirror-taken", `the copies of mirror ${row.name} go to the port ${by} already`, {
    hint: "a mirror has one consumer; give it another name",
  });
}

function selection(how: "insert" | "delete", { role, mirrors }: Mirroring, name: string, port: Uuid) {
  const of = (which: "ingress" | "egress") =>
    how === "delete" || (role === "producer" && mirrors.some((mirror) => mirror.name === name && mirror[which]));
  return {
    ...(of("ingress") ? { select_src_port: { [how]: [port] } } : {}),
    ...(of("egress") ? { select_dst_port: { [how]: [port] } } : {}),
  };
}

function isEmptyOfOurs({ external_ids, select_src_port, select_dst_port, output_port }: MirrorRow): boolean {
  if (external_ids.get(OWNER) !== CNI_OWNER) return false;
  return select_src_port.size === 0 && select_dst_port.size === 0 && output_port === undefined;
}
