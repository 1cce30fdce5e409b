/** vhost-user ports: a socket in a folder of the container's own, by which the switch reaches a virtio device there. */
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { asYardError, errnoOf, run, tryRun, YardError } from "@switchyard/base";
import type { Switch } from "@switchyard/vswitch";
import { runDirectory } from "@switchyard/yard/paths";
import type { VhostUser } from "./attachment.ts";
import type { Call } from "./call.ts";
import { configurationData, removeHandover, type SocketOwner, writeDeviceInfo, writeHandover } from "./handover.ts";
import { DEVICE_INFO, KUBECONFIG, type OwnedPort, portIds, portName, SOCKET } from "./marks.ts";
import { podOfCall, tellPod, untellPod } from "./pod.ts";
import type { Result } from "./result.ts";
import { addPort, removePorts } from "./rows.ts";
import { later, type Work } from "./work.ts";

/** Interface.options of type dpdkvhostuserclient (ovs-vswitchd.conf.db(5)). */
const PATH = "vhost-server-path";
/** sun_path is 108 bytes with its NUL (unix(7)). */
const LONGEST = 107;

/** How much of a container's id its folder is called by; ids may be shorter. */
const SHORT_ID = 12;

/** @throws YardError `cni.socket-taken`, `cni.io`, and as `addPort` */
export async function addVhostUser(work: Work, way: VhostUser): Promise<Result> {
  const { call, request, config, db, undo } = work;
  const short = request.containerId.slice(0, SHORT_ID);
  const pod = await podOfCall(call, config.attachment.pod, way.handover);
  const folder = pod?.volume?.folder ?? join(way.folder, short);
  const path = join(folder, way.name ?? `${short}-${request.ifname}`);
  refuseTaken(db, path);
  if (makeFolder(folder, way)) later(undo, call, () => void removeFolder(folder));
  call.step("folder made");
  const port = portName(request);
  const alias = join(aliases(call.env), port);
  // Also what an ADD before has got no further with.
  const owner = { containerId: request.containerId, ifname: request.ifname, socket: path };
  later(undo, call, () => removeSocket(call, port, owner));
  const { mtu, mac } = config.attachment;
  const link = {
    name: port,
    ...(way.mode === "client"
      ? { type: "dpdkvhostuserclient", options: new Map([[PATH, withinLimit(path, alias)]]) }
      : { type: "dpdkvhostuser" }),
    ...(mtu === undefined ? {} : { mtu_request: mtu }),
  };
  const marks = {
    ...portIds(request, config, "vhostuser"),
    [SOCKET]: path,
    ...(way.deviceInfo === undefined ? {} : { [DEVICE_INFO]: way.deviceInfo }),
    ...(pod === undefined ? {} : { [KUBECONFIG]: way.handover?.kubeconfig ?? "" }),
  };
  await addPort(db, config.attachment, link, marks, call.limits).catch((error) => {
    throw withoutDpdk(db, link.type, error);
  });
  later(undo, call, () => removePorts(db, ({ name }) => name === port, {}));
  call.step("port added");
  if (way.mode === "server") {
    await placeSocket(madeBySwitch(work, port), path, way);
    call.step("socket placed");
  }
  // Whoever serves the device in the container has to apply it.
  const given = await work.given;
  const result: Result = {
    interfaces: [
      {
        name: request.ifname,
        sandbox: request.netns,
        socketPath: path,
        ...(mac === undefined ? {} : { mac }),
        ...(mtu === undefined ? {} : { mtu }),
      },
    ],
    ips: (given?.ips ?? []).map((ip) => ({ ...ip, interface: 0 })),
    routes: given?.routes ?? [],
    dns: given?.dns ?? {},
  };
  const { deviceInfo } = way;
  if (deviceInfo !== undefined) {
    later(undo, call, () => rmSync(deviceInfo, { force: true }));
    writeDeviceInfo(deviceInfo, pod?.volume === undefined ? path : join(pod.volume.mapped, basename(path)), way.mode);
  }
  if (way.handover !== undefined) {
    const data = configurationData(way.handover, owner, way.mode, result);
    if (pod?.volume === undefined) writeHandover(way.handover, owner, data);
    if (pod !== undefined) {
      // What has been said may have been heard although no answer came.
      later(undo, call, () => untellPod(pod.api, pod.ref, data));
      await tellPod(pod.api, pod.ref, pod.volume?.mapped, data);
    }
  }
  call.step("handed over");
  return result;
}

/** What a switch says that knows nothing of vhost-user does not tell why. */
function withoutDpdk(db: Switch, type: string, error: unknown): unknown {
  if (!(error instanceof YardError) || error.code !== "switch.port-failed") return error;
  if (db.table("Open_vSwitch").single()?.dpdk_initialized !== false) return error;
  return new YardError("cni.no-dpdk", `the switch runs without DPDK, and so has no ports of type ${type}`, {
    hint: "start ovs-vswitchd of openvswitch-switch-dpdk, with other_config:dpdk-init=true",
    cause: error,
  });
}

/** The socket of a port, as the container has it; undefined: it has none. */
export function socketOf({ row }: OwnedPort): string | undefined {
  return row.external_ids.get(SOCKET);
}

/** Takes a port's own socket away, and its folder when nothing else is in it. */
export async function removeSocket(call: Call, port: string, owner: SocketOwner): Promise<void> {
  const { socket: path } = owner;
  // Else it is a volume of the pod's, and kubelet's.
  const isOwn = basename(dirname(path)) === owner.containerId.slice(0, SHORT_ID);
  if (isOwn) removeHandover(owner);
  const alias = join(aliases(call.env), port);
  rmSync(alias, { force: true });
  removeFolder(dirname(alias));
  // Where the switch made it, it may be a mount.
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined && isMounted(path))
    await tryRun(["umount", "--lazy", path]);
  rmSync(path, { force: true });
  if (isOwn) removeFolder(dirname(path));
}

/** Two containers whose ids begin alike, or a name that the configuration fixes, must not share a socket unknowingly. */
function refuseTaken(db: Switch, path: string): void {
  const taken = (name: string) => {
    throw new YardError("cni.socket-taken", `the socket ${path} belongs to the port ${name} already`);
  };
  for (const { name, options } of db.table("Interface")) if (options.get(PATH) === path) taken(name);
  for (const { name, external_ids } of db.table("Port")) if (external_ids.get(SOCKET) === path) taken(name);
}

/** Where short names of folders are, for paths that a socket's address has no room for. No yard's folder has a dot. */
function aliases(env: NodeJS.ProcessEnv): string {
  return join(runDirectory(env), "cni.vhost");
}

/** The path by which the switch can reach a socket: itself, or one by way of a link to its folder. */
function withinLimit(path: string, alias: string): string {
  if (Buffer.byteLength(path) <= LONGEST) return path;
  try {
    mkdirSync(dirname(alias), { recursive: true, mode: 0o755 });
    rmSync(alias, { force: true });
    symlinkSync(dirname(path), alias);
  } catch (cause) {
    throw new YardError("cni.io", `${alias} cannot be made: ${asYardError(cause).message}`, { cause });
  }
  return join(alias, basename(path));
}

/** Where ovs-vswitchd makes a socket of type dpdkvhostuser (ovs-vswitchd.conf.db(5), vhost-sock-dir). */
function madeBySwitch({ db, place }: Work, port: string): string {
  const runDir = /^unix:(.*)\/[^/]+$/.exec(place.remote)?.[1];
  if (runDir === undefined)
    throw new YardError("cni.unsupported", `the switch at ${place.remote} makes its sockets on another host`, {
      hint: "let the container make the socket: mode client, or interfaceType dpdkvhostuserclient",
    });
  return join(runDir, db.table("Open_vSwitch").single()?.other_config.get("vhost-sock-dir") ?? "", port);
}

/** Gives the container's folder the switch's socket: as a second name of it, or a mount where that cannot be. */
async function placeSocket(made: string, path: string, { group, permissions }: VhostUser): Promise<void> {
  try {
    chmodSync(made, permissions & 0o666);
    if (group !== undefined) chownSync(made, 0, groupId(group));
    rmSync(path, { force: true });
    try {
      linkSync(made, path);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EXDEV") throw thrown;
      writeFileSync(path, "");
      await run(["mount", "--bind", made, path]);
    }
  } catch (cause) {
    throw new YardError("cni.io", `the socket ${path} cannot be made of ${made}: ${asYardError(cause).message}`, {
      cause,
    });
  }
}

/** The path itself is not followed: what is mounted there may be removed already. proc(5): the fifth field of mountinfo, with blanks and the like in octal. */
function isMounted(path: string): boolean {
  const shown = join(realpathSync(dirname(path)), basename(path)).replace(
    /[ \t\n\\]/g,
    (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === shown);
}

/** @returns whether it is new */
function makeFolder(folder: string, { group, permissions }: VhostUser): boolean {
  try {
    const gid = group === undefined ? undefined : groupId(group);
    const made = statSync(folder, { throwIfNoEntry: false }) === undefined;
    mkdirSync(folder, { recursive: true, mode: permissions });
    if (!made) return false;
    // The umask may have taken bits away.
    chmodSync(folder, permissions);
    if (gid !== undefined) chownSync(folder, 0, gid);
    return true;
  } catch (cause) {
    if (cause instanceof YardError) throw cause;
    throw new YardError("cni.io", `the folder ${folder} cannot be made: ${asYardError(cause).message}`, { cause });
  }
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something else is in it: the socket of another interface of the container, say.
  }
}

/** @throws YardError `cni.io` */
function groupId(group: string): number {
  if (/^\d{1,9}$/.test(group)) return Number(group);
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((text) => text.startsWith(`${group}:`));
  const id = Number(line?.split(":")[2]);
  if (line !== undefined && Number.isInteger(id)) return id;
  throw new YardError("cni.io", `there is no group ${group}`, { hint: `add it: groupadd ${group}` });
}
