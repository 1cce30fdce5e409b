/** vhost-user ports: a socket in a folder of the container's own, by which the switch reaches a virtio device there. */
import { chmodSync, chownSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { asYardError, YardError } from "@switchyard/base";
import type { Switch } from "@switchyard/vswitch";
import type { VhostUser } from "./attachment.ts";
import { type OwnedPort, portIds, portName } from "./marks.ts";
import type { Result } from "./result.ts";
import { addPort, removePorts } from "./rows.ts";
import { later, type Work } from "./work.ts";

/** Interface.options of type dpdkvhostuserclient (ovs-vswitchd.conf.db(5)). */
const PATH = "vhost-server-path";
/** sun_path is 108 bytes with its NUL (unix(7)). */
const LONGEST = 107;

/** How much of a container's id its folder is called by; ids may be shorter. */
const SHORT_ID = 12;

/** @throws YardError `cni.unsupported`, `cni.socket-taken`, `cni.io`, and as `addPort` */
export async function addVhostUser(work: Work, way: VhostUser): Promise<Result> {
  const { call, request, config, db, undo } = work;
  if (way.mode === "server")
    throw new YardError("cni.unsupported", "vhost-user sockets that the switch makes (mode server) are not served", {
      hint: "let the container make the socket: mode client, or interfaceType dpdkvhostuserclient",
    });
  const short = request.containerId.slice(0, SHORT_ID);
  const folder = join(way.folder, short);
  const path = join(folder, way.name ?? `${short}-${request.ifname}`);
  if (Buffer.byteLength(path) > LONGEST)
    throw new YardError("cni.unsupported", `the socket's path has more than ${LONGEST} bytes: ${path}`, {
      hint: "choose a shorter folder",
    });
  refuseTaken(db, path);
  if (makeFolder(folder, way)) later(undo, call, () => void removeFolder(folder));
  call.step("folder made");
  const port = portName(request);
  const { mtu, mac } = config.attachment;
  const link = {
    name: port,
    type: "dpdkvhostuserclient",
    options: new Map([[PATH, path]]),
    ...(mtu === undefined ? {} : { mtu_request: mtu }),
  };
  await addPort(db, config.attachment, link, portIds(request, config, "vhostuser"), call.limits);
  later(undo, call, () => removePorts(db, ({ name }) => name === port, {}));
  call.step("port added");
  // Whoever serves the device in the container has to apply it.
  const given = await work.given;
  return {
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
}

/** The socket of a port; undefined: it has none. */
export function socketOf(db: Pick<Switch, "table">, { row }: OwnedPort): string | undefined {
  const [link] = [...row.interfaces].map((uuid) => db.table("Interface").get(uuid));
  return link?.options.get(PATH);
}

/** Takes a port's own socket away, and its folder when nothing else is in it. */
export function removeSocket(path: string): void {
  rmSync(path, { force: true });
  removeFolder(dirname(path));
}

/** Two containers whose ids begin alike, or a name that the configuration fixes, must not share a socket unknowingly. */
function refuseTaken(db: Switch, path: string): void {
  for (const { name, options } of db.table("Interface"))
    if (options.get(PATH) === path)
      throw new YardError("cni.socket-taken", `the socket ${path} belongs to the port ${name} already`);
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
    // Another interface of the container has its socket there.
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
