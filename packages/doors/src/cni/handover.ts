/**
 * What the container's side is told of its socket, in the files that the userspace CNI's releases have had: `configData-…`
 * beside the socket, and before that `remote-…` with `addData-…` in a folder by the container's id. Containers mount both.
 */
import { mkdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { asYardError, YardError } from "@switchyard/base";
import type { JsonRecord } from "./fields.ts";
import { type Result, renderResult } from "./result.ts";

/** What a configuration says of the container's side. */
export interface Handover {
  /** The whole configuration. */
  readonly network: JsonRecord;
  /** Its section `container`. */
  readonly container: JsonRecord;
  /** The file by which the Kubernetes API is reached, to tell the pod; undefined: by a service account, if there is one. */
  readonly kubeconfig: string | undefined;
}

/** Whose socket it is. */
export interface SocketOwner {
  readonly containerId: string;
  readonly ifname: string;
  /** `<shared folder>/<beginning of the id>/<name>` */
  readonly socket: string;
}

/** One socket as the container is told of it, in files or by annotation. */
export type ConfigurationData = JsonRecord & { readonly containerId: string; readonly ifName: string };

export function configurationData(
  { network, container }: Handover,
  { containerId, ifname, socket }: SocketOwner,
  hostMode: "client" | "server",
  result: Result,
): ConfigurationData & { readonly config: JsonRecord; readonly ipResult: unknown } {
  const vhost = typeof container.vhost === "object" ? container.vhost : {};
  // The container is what the host's side is not; and the socket is the one that there is, whatever was written.
  const mode = hostMode === "client" ? "server" : "client";
  const config = {
    engine: "ovs-dpdk",
    iftype: "vhostuser",
    netType: "interface",
    ...container,
    vhost: { mode, ...vhost, socketfile: basename(socket) },
  };
  const ipResult: unknown = JSON.parse(renderResult({ ...result, interfaces: [] }, "1.0.0"));
  return { containerId, ifName: ifname, name: network.name, config, ipResult };
}

/** @throws YardError `cni.io` */
export function writeHandover(
  { network }: Handover,
  owner: SocketOwner,
  data: ReturnType<typeof configurationData>,
): void {
  const files = filesOf(owner);
  const { container: _, ...rest } = network;
  const { config, ipResult } = data;
  write(files.configData, data);
  write(files.addData, { containerId: owner.containerId, ifName: owner.ifname, ipResult });
  // Last: whoever finds this one reads the other.
  write(files.remote, { ...rest, host: config, ipam: { type: "" } });
}

/**
 * Tells the runtime of a socket, which tells the pod's annotations (Multus).
 *
 * @param path of the socket, where the container sees it if that is known
 * @param hostMode of the switch: the device is what that is not
 * @throws YardError `cni.io`
 */
export function writeDeviceInfo(file: string, path: string, hostMode: "client" | "server"): void {
  const mode = hostMode === "client" ? "server" : "client";
  write(file, { type: "vhost-user", version: "1.1.0", "vhost-user": { mode, path } });
}

/** What is gone already is no failure. */
export function removeHandover(owner: SocketOwner): void {
  const { configData, addData, remote, applied } = filesOf(owner);
  for (const file of [remote, addData, configData, applied]) rmSync(file, { force: true });
  try {
    rmdirSync(dirname(remote));
  } catch {
    // There is none, or another interface of the container has its files there.
  }
}

function filesOf({ containerId, ifname, socket }: SocketOwner) {
  const folder = dirname(socket);
  const own = join(dirname(dirname(folder)), containerId);
  return {
    configData: join(folder, `configData-${basename(folder)}-${ifname}.json`),
    remote: join(own, `remote-${ifname}.json`),
    addData: join(own, `addData-${ifname}.json`),
    /** The container's agent writes it. */
    applied: join(own, `applied-${ifname}.json`),
  };
}

/** In one step for who watches the folder. */
function write(file: string, value: object): void {
  const fresh = join(dirname(file), `.${basename(file)}.new`);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(fresh, JSON.stringify(value), { mode: 0o644 });
    renameSync(fresh, file);
  } catch (cause) {
    throw new YardError("cni.io", `${file} cannot be written: ${asYardError(cause).message}`, { cause });
  }
}
