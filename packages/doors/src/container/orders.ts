/**
 * What the host's side has handed over to a container: vhost-user sockets, each to become a port of the container's own
 * switch. All three forms that the userspace CNI's releases had are read: `configData-*.json` beside the sockets,
 * `remote-*.json` with `addData-*.json`, and the annotation `userspace/configuration-data` in a file of the downward API.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Cidr, family, type Ip, parseCidr, parseIp } from "@switchyard/base";
import { z } from "zod";

/** Where to look; what is not there is not there yet. */
export interface HandoverPlaces {
  /** The folder of remote-… and addData-… files. */
  readonly data: string;
  /** The folder of sockets, or of folders of sockets. */
  readonly shared: string;
  /** The file of the pod's annotations. */
  readonly annotations: string;
}

/** One socket that shall be a port. */
export interface Order {
  readonly containerId: string;
  readonly ifname: string;
  readonly socket: string;
  /** Whether this side makes the socket. */
  readonly server: boolean;
  readonly bridge: string | undefined;
  readonly vlan: number | undefined;
  readonly addresses: readonly Cidr[];
  readonly routes: readonly OrderedRoute[];
}

export interface OrderedRoute {
  readonly to: Cidr;
  readonly via: Ip | undefined;
}

const Config = z.looseObject({
  iftype: z.literal("vhostuser").default("vhostuser"),
  vhost: z.looseObject({ mode: z.enum(["client", "server"]).default("server"), socketfile: z.string().min(1) }),
  bridge: z
    .looseObject({ bridgeName: z.string().optional(), vlanId: z.number().int().min(0).max(4095).optional() })
    .optional(),
});
const IpResult = z.looseObject({
  ips: z.array(z.looseObject({ address: z.string(), gateway: z.string().optional() })).default([]),
  routes: z.array(z.looseObject({ dst: z.string(), gw: z.string().optional() })).default([]),
});
const ConfigData = z.looseObject({
  containerId: z.string().min(1),
  ifName: z.string().min(1),
  config: Config,
  ipResult: IpResult.default({ ips: [], routes: [] }),
});
const Remote = z.looseObject({ host: Config });
const AddData = ConfigData.omit({ config: true });

/**
 * What is said of an interface in several places is taken from the file beside its socket, else from those of `data`,
 * and from the annotations last: kubelet brings them up to a minute later, and where the pod has no volume for sockets
 * the folder that they name is but the usual one.
 *
 * @param note gets a line for each file that is none of these
 * @returns by interface, each once
 */
export function readOrders({ data, shared, annotations }: HandoverPlaces, note: (line: string) => void): Order[] {
  const orders = new Map<string, Order>();
  const take = (file: string, read: () => readonly Order[]) => {
    try {
      for (const order of read()) orders.set(`${order.containerId} ${order.ifname}`, order);
    } catch (error) {
      note(`${file} cannot be read: ${error instanceof Error ? error.message : error}`);
    }
  };
  if (existsSync(annotations)) take(annotations, () => readAnnotations(annotations, shared));
  for (const file of jsonFiles(data, "remote-"))
    take(file, () => [readRemote(file, shared)].filter((it) => it !== undefined));
  // Not in folders of the shared one: those may be other containers'.
  for (const folder of [data, shared])
    for (const file of jsonFiles(folder, "configData-"))
      take(file, () => [orderOf(ConfigData.parse(json(file)), dirname(file))]);
  return [...orders.values()];
}

const Recorded = z.object({
  addresses: z.array(z.string().transform(parseCidr)),
  routes: z.array(z.object({ to: z.string().transform(parseCidr), via: z.string().transform(parseIp).optional() })),
});

/** What the device of a bridge was given by an order that was recorded as JSON; nothing where that is none of ours. */
export function parseOrder(text: string | undefined): Pick<Order, "addresses" | "routes"> {
  try {
    const { addresses, routes } = Recorded.parse(JSON.parse(text ?? ""));
    return { addresses, routes: routes.map(({ to, via }) => ({ to, via })) };
  } catch {
    return { addresses: [], routes: [] };
  }
}

/** Both files, or nothing yet. */
function readRemote(file: string, shared: string): Order | undefined {
  const beside = join(dirname(file), file.slice(dirname(file).length + 1).replace(/^remote-/, "addData-"));
  if (!existsSync(beside)) return undefined;
  const added = AddData.parse(json(beside));
  return orderOf({ ...added, config: Remote.parse(json(file)).host }, socketFolder(shared, added.containerId));
}

/** `key="value"` a line, the value quoted as Go has it (Kubernetes' downward API). */
function readAnnotations(file: string, shared: string): Order[] {
  const values = new Map<string, string>();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [, key, value] = /^([^=]+)=(".*")$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values.set(key, String(JSON.parse(value)));
  }
  const data = values.get("userspace/configuration-data");
  const mapped = values.get("userspace/mapped-dir") ?? shared;
  if (data === undefined) return [];
  return z
    .array(ConfigData)
    .parse(JSON.parse(data))
    .map((one) => orderOf(one, socketFolder(mapped, one.containerId)));
}

function orderOf({ containerId, ifName, config, ipResult }: z.infer<typeof ConfigData>, folder: string): Order {
  const { vhost, bridge } = config;
  if (vhost.socketfile.includes("/")) throw new Error(`"${vhost.socketfile}" is not the name of a file`);
  return {
    containerId,
    ifname: ifName,
    socket: join(folder, vhost.socketfile),
    server: vhost.mode === "server",
    bridge: bridge?.bridgeName,
    vlan: bridge?.vlanId || undefined,
    addresses: ipResult.ips.map(({ address }) => parseCidr(address)),
    routes: routesOf(ipResult),
  };
}

/** As the reference plugins have it: a route without a router goes by that of the addresses, if there is one. */
function routesOf({ ips, routes }: z.infer<typeof IpResult>): OrderedRoute[] {
  const gateways = ips.flatMap(({ gateway }) => (gateway ? [parseIp(gateway)] : []));
  return routes.map(({ dst, gw }) => {
    const to = parseCidr(dst);
    return { to, via: gw ? parseIp(gw) : gateways.find((one) => family(one) === family(to)) };
  });
}

/** The container's own folder, where all have one mount; else the mount itself is it. */
function socketFolder(shared: string, containerId: string): string {
  const own = join(shared, containerId.slice(0, 12));
  return existsSync(own) ? own : shared;
}

function jsonFiles(folder: string, prefix: string): string[] {
  return names(folder)
    .filter((name) => name.startsWith(prefix) && name.endsWith(".json"))
    .map((name) => join(folder, name));
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function json(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"));
}
