/** Which switch a command is for. */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { YardError } from "@switchyard/base";
import type { NamespaceRef } from "@switchyard/linux";
import { ConnectError } from "@switchyard/ovsdb";
import { openWholeSwitch, type Switch } from "@switchyard/vswitch";
import { SYSTEM_YARD, yardPaths } from "@switchyard/yard/paths";

/** A switch: its database, and the namespace that its devices are in. */
export interface SwitchPlace {
  /** `unix:/run/openvswitch/db.sock` */
  readonly remote: string;
  readonly namespace: NamespaceRef;
  /** For messages: `the switch of yard main`. */
  readonly title: string;
  /** The command that starts it. */
  readonly start: string;
}

/** The host's own Open vSwitch; `OVS_RUNDIR` says where it is, as it does to the ovs-* tools. */
export function systemPlace(environment: NodeJS.ProcessEnv = process.env): SwitchPlace {
  const folder = environment.OVS_RUNDIR || "/var/run/openvswitch";
  return {
    remote: `unix:${folder}/db.sock`,
    namespace: "self",
    title: "the host's Open vSwitch",
    start: "systemctl start openvswitch-switch",
  };
}

/** The switch of a yard. @throws YardError `yard.bad-name` */
export function yardPlace(yard: string, environment: NodeJS.ProcessEnv = process.env): SwitchPlace {
  if (yard === SYSTEM_YARD) return systemPlace(environment);
  const paths = yardPaths(yard, environment);
  return {
    remote: `unix:${paths.databaseSocket}`,
    namespace: { name: paths.namespace },
    title: `the switch of yard ${yard}`,
    start: `sudo yard ${yard === "main" ? "" : `-y ${yard} `}agent`,
  };
}

/**
 * Opens a switch's database.
 *
 * @throws YardError `ovs.not-running` with the command that starts it; `ovs.no-access`; those of ovsdb's openDatabase
 */
export async function openPlace(
  place: SwitchPlace,
  options: { readonly signal?: AbortSignal; readonly status?: boolean } = {},
): Promise<Switch> {
  const socket = /^unix:(.*)$/.exec(place.remote)?.[1];
  // Asked first: to whom a yard's folder is closed, its socket is not there.
  if (socket !== undefined) checkAccess(socket);
  if (socket !== undefined && (!existsSync(socket) || (place.namespace !== "self" && !daemonLives(socket))))
    throw notRunning(place);
  try {
    return await openWholeSwitch(place.remote, { timeout: 10_000, ...options });
  } catch (thrown) {
    throw thrown instanceof ConnectError ? notRunning(place, thrown) : thrown;
  }
}

function checkAccess(socket: string): void {
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return;
    throw new YardError("ovs.no-access", `you may not use ${socket}`, { cause, hint: "run the command with sudo" });
  }
}

/** A private switch keeps its pid file beside its socket. */
function daemonLives(socket: string): boolean {
  try {
    const pid = readFileSync(join(dirname(socket), "ovs-vswitchd.pid"), "utf8").trim();
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "ovs-vswitchd";
  } catch {
    return false;
  }
}

function notRunning({ title, start, remote }: SwitchPlace, cause?: Error): YardError {
  return new YardError("ovs.not-running", `${title} does not run`, {
    hint: `start it: ${start}`,
    where: remote,
    cause,
  });
}
