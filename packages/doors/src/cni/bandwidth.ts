/** How much may pass a nic. Said in the words of CNI's capability `bandwidth`: seen from the container, in bits. */
import { run, YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import { OWNER, PURPOSE, type Switch, type SwitchEdit } from "@switchyard/vswitch";
import type { Fields } from "./fields.ts";
import { CNI_OWNER } from "./marks.ts";

/** One direction. */
export interface Rate {
  /** Bits a second. */
  readonly rate: number;
  /** Bits that may come at once; undefined: as many as the way of limiting needs. */
  readonly burst: number | undefined;
}

export interface Bandwidth {
  /** What the container gets. */
  readonly ingress: Rate | undefined;
  /** What it sends. */
  readonly egress: Rate | undefined;
}

const SHAPER = "shaper";
/** Kubernetes says that there is no limit by the largest numbers of 32 bits; those are no burst either. */
const UNLIMITED = 2 ** 32 - 1;
const MOST = 10 ** 15;
/** Bits: a packet of the largest size that the kernel hands on at once. */
const LEAST_BURST = 8 * 64 * 1024;
/** Milliseconds of the rate that may come at once where nothing is said: where the rest is held back, and where it is lost. */
const SHAPED = 50;
/** TCP needs that much to come near the rate (ovs-vswitchd.conf.db(5), ingress_policing_burst). */
const POLICED = 800;

/** `{ingressRate, ingressBurst, egressRate, egressBurst}`; undefined: no limit at all. */
export function readBandwidth(fields: Fields | undefined): Bandwidth | undefined {
  if (fields === undefined) return undefined;
  const read = (direction: "ingress" | "egress"): Rate | undefined => {
    const rate = fields.integer(`${direction}Rate`, 0, MOST) ?? 0;
    const burst = fields.integer(`${direction}Burst`, 0, MOST) ?? 0;
    if (rate === 0) return undefined;
    return { rate, burst: burst === 0 || burst >= UNLIMITED ? undefined : burst };
  };
  const [ingress, egress] = [read("ingress"), read("egress")];
  return ingress === undefined && egress === undefined ? undefined : { ingress, egress };
}

function enough({ rate, burst }: Rate, time: number): number {
  return burst ?? Math.max(LEAST_BURST, Math.round((rate * time) / 1000));
}

/**
 * Rows that limit what goes out of a port, to the container.
 *
 * @param dpdk whether the port is one of DPDK's, which has no queues of the kernel's
 * @returns the value of Port.qos
 */
export function insertShaper(edit: SwitchEdit, limit: Rate, dpdk: boolean): Uuid {
  const { rate } = limit;
  const external_ids = { [OWNER]: CNI_OWNER, [PURPOSE]: SHAPER };
  // ovs-vswitchd.conf.db(5), "Configuration for egress-policer QoS": in bytes.
  const policer = { cir: `${Math.ceil(rate / 8)}`, cbs: `${Math.ceil(enough(limit, POLICED) / 8)}` };
  const limits = { "max-rate": `${rate}`, burst: `${enough(limit, SHAPED)}` };
  const queue = dpdk ? undefined : edit.tx.insert("Queue", { other_config: limits, external_ids });
  const qos = edit.tx.insert("QoS", {
    external_ids,
    ...(queue === undefined
      ? { type: "egress-policer", other_config: policer }
      : { type: "linux-htb", other_config: { "max-rate": `${rate}` }, queues: [[0, queue]] }),
  });
  edit.wrote((tx) => deleteShaper(tx, qos));
  return qos;
}

/** Takes away the shapers that no port has but those that are gone: tables of their own do not clear up by themselves. */
export function deleteShapers(db: Pick<Switch, "table">, tx: SwitchEdit["tx"], isGone: (port: Uuid) => boolean): void {
  const used = new Set([...db.table("Port")].flatMap(({ _uuid, qos }) => (isGone(_uuid) ? [] : (qos ?? []))));
  for (const { _uuid, external_ids } of db.table("QoS"))
    if (external_ids.get(OWNER) === CNI_OWNER && !used.has(_uuid)) deleteShaper(tx, _uuid);
}

function deleteShaper(tx: SwitchEdit["tx"], qos: Uuid): void {
  const row = tx.get("QoS", qos);
  if (row === undefined) return;
  // The server counts references before it takes rows away that nothing refers to.
  for (const port of tx.rows("Port")) if (port.qos === qos) tx.update("Port", port._uuid, { qos: undefined });
  tx.delete("QoS", qos);
  for (const queue of row.queues.values()) if (tx.get("Queue", queue) !== undefined) tx.delete("Queue", queue);
}

/** Columns of Interface that limit what comes in from the container, in kbit/s and kbit (ovs-vswitchd.conf.db(5)). */
export function policing(limit: Rate) {
  return {
    ingress_policing_rate: Math.ceil(limit.rate / 1000),
    ingress_policing_burst: Math.ceil(enough(limit, POLICED) / 1000),
  };
}

/**
 * Has the container's own end hold back what it sends: a userspace switch takes frames before the kernel's policing sees
 * them. Who may configure the container's network can lift it.
 *
 * @throws YardError `cni.link-failed`
 */
export async function shapeSender(netns: string, ifname: string, limit: Rate): Promise<void> {
  const burst = Math.ceil(enough(limit, SHAPED) / 8);
  const shaper = ["tbf", "rate", `${limit.rate}bit`, "burst", `${burst}b`, "latency", "50ms"];
  try {
    await run(["nsenter", `--net=${netns}`, "tc", "qdisc", "replace", "dev", ifname, "root", ...shaper]);
  } catch (cause) {
    throw new YardError("cni.link-failed", `what ${ifname} sends cannot be limited`, { cause });
  }
}
