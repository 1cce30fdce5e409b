/** The switch that a network is on: where its database is, and where its devices. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { YardError } from "@switchyard/base";
import type { NamespaceRef } from "@switchyard/linux";
import { ConnectError, openDatabase } from "@switchyard/ovsdb";
import { type Switch, schema, userspaceTso } from "@switchyard/vswitch";
import { SYSTEM_YARD, yardPaths } from "@switchyard/yard/paths";
import type { SwitchChoice } from "./attachment.ts";

/** The database of a switch while one call needs it. Disposing gives it back. */
export interface OpenedSwitch extends AsyncDisposable {
  readonly db: Switch;
  /** Resolves when the database has all that others had committed before this call. @throws YardError `cni.switch-away` */
  readonly catchUp: () => Promise<void>;
}

export interface SwitchPlace {
  /** `unix:/run/openvswitch/db.sock` */
  readonly remote: string;
  readonly namespace: NamespaceRef;
  /** For messages: `the host's Open vSwitch`. */
  readonly title: string;
  /** The command that starts it. */
  readonly start: string;
  /** Whether a bridge in userspace finishes packets that a nic has left unfinished. */
  readonly finishesPackets: () => boolean;
}

/** @throws YardError `yard.bad-name` */
export function placeOf(choice: SwitchChoice, env: NodeJS.ProcessEnv): SwitchPlace {
  if ("remote" in choice) return hostPlace(choice.remote, `the Open vSwitch at ${choice.remote}`);
  if (choice.yard === SYSTEM_YARD)
    return hostPlace(`unix:${env.OVS_RUNDIR || "/var/run/openvswitch"}/db.sock`, "the host's Open vSwitch");
  const paths = yardPaths(choice.yard, env);
  return {
    remote: `unix:${paths.databaseSocket}`,
    namespace: { name: paths.namespace },
    title: `the switch of yard ${choice.yard}`,
    start: `sudo yard -y ${choice.yard} agent`,
    finishesPackets: () => true,
  };
}

function hostPlace(remote: string, title: string): SwitchPlace {
  return {
    remote,
    namespace: "self",
    title,
    start: "systemctl start openvswitch-switch",
    // Known from the first bridge in userspace on; before there is one nothing is lost by being careful.
    finishesPackets: () => userspaceTso() ?? false,
  };
}

/**
 * Opens the database, of which no more is followed than a nic needs.
 *
 * @throws YardError `cni.switch-away`; those of ovsdb's openDatabase
 */
export async function openPlace(place: SwitchPlace, signal: AbortSignal | undefined): Promise<Switch> {
  const socket = socketOf(place);
  if (socket !== undefined && !existsSync(socket)) throw away(place);
  try {
    return await openDatabase({
      remote: place.remote,
      schema,
      timeout: 10_000,
      ...(signal === undefined ? {} : { signal }),
      monitor: {
        Open_vSwitch: ["bridges", "next_cfg", "cur_cfg", "other_config", "dpdk_initialized"],
        Bridge: ["name", "ports", "mirrors", "datapath_type", "external_ids"],
        Port: ["name", "interfaces", "tag", "trunks", "cvlans", "vlan_mode", "qos", "external_ids"],
        Interface: ["name", "type", "options", "external_ids", "ofport", "error", "admin_state", "link_state"],
        QoS: ["queues", "external_ids"],
        Queue: ["external_ids"],
        Mirror: ["name", "select_src_port", "select_dst_port", "output_port", "external_ids"],
      },
    });
  } catch (thrown) {
    throw thrown instanceof ConnectError ? away(place, thrown) : thrown;
  }
}

/** The same for one call, closed with it. */
export async function openForCall(place: SwitchPlace, signal: AbortSignal | undefined): Promise<OpenedSwitch> {
  const db = await openPlace(place, signal);
  return { db, catchUp: async () => {}, [Symbol.asyncDispose]: () => db.close() };
}

/** Whether ovs-vswitchd runs; undefined where its pid file is not to be seen from here. */
export function daemonRuns(place: SwitchPlace): boolean | undefined {
  const socket = socketOf(place);
  if (socket === undefined) return undefined;
  let pid: string;
  try {
    pid = readFileSync(join(dirname(socket), "ovs-vswitchd.pid"), "utf8").trim();
  } catch {
    return false;
  }
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("ovs-vswitchd");
  } catch {
    return false;
  }
}

function socketOf({ remote }: SwitchPlace): string | undefined {
  return /^unix:(.*)$/.exec(remote)?.[1];
}

function away({ title, start, remote }: SwitchPlace, cause?: Error): YardError {
  return new YardError("cni.switch-away", `${title} does not run`, {
    hint: `start it: ${start}`,
    where: remote,
    cause,
  });
}
