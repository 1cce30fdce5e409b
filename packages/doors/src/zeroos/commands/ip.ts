/** Links, addresses and routes, as clients read and set them: `info.nic` and `ip.*`. */
import { readFileSync } from "node:fs";
import { parseCidr, parseIp, parseMac, run, YardError } from "@switchyard/base";
import { checkLinkName, type Link, type NamespaceRef, viewNamespace } from "@switchyard/linux";
import { z } from "zod";
import { command, type Handler } from "../job.ts";

const linkSchema = z.object({ name: z.string() });
const optional = z
  .string()
  .nullish()
  .transform((text) => text || undefined);
const addressSchema = linkSchema.extend({ ip: z.string() });
const routeSchema = z.object({ dev: z.string(), dst: optional, gw: optional });
const memberSchema = linkSchema.extend({ inf: z.string() });

/** What ip(8) tells of a route. */
const routesSchema = z.array(
  z.object({
    dst: z.string(),
    gateway: z.string().optional(),
    dev: z.string().optional(),
    table: z.string().optional(),
  }),
);

/**
 * The commands for a place with one namespace, or with several: what is there already is found in the first that has it,
 * and what is new is made in the first. What they change is the client's own, and bears no mark: the agent leaves it
 * alone.
 *
 * @param where tells the namespaces when the command runs
 */
export function ipCommands(where: () => readonly NamespaceRef[]): Readonly<Record<string, Handler>> {
  const one = (name: string) => found(name, where());
  /** Runs ip(8) where a link is. */
  const at = ({ namespace }: Placed, ...argv: readonly string[]) => run(["ip", ...inNamespace(namespace), ...argv]);
  const route = async (verb: "add" | "delete", { dev, dst, gw }: z.output<typeof routeSchema>) => {
    const via = gw === undefined ? [] : ["via", parseIp(gw)];
    const target = dst === undefined ? "default" : parseCidr(dst);
    await at(one(dev), "route", verb, target, ...via, "dev", one(dev).link.name);
  };
  const address = async (verb: "add" | "delete", { name, ip }: z.output<typeof addressSchema>) => {
    await at(one(name), "address", verb, parseCidr(ip), "dev", one(name).link.name);
  };
  const set = (name: string, ...words: readonly string[]) =>
    at(one(name), "link", "set", "dev", one(name).link.name, ...words);
  return {
    "info.nic": command(z.unknown(), async () => all(where()).map(nicInfo)),
    "ip.link.list": command(z.unknown(), async () => linkList(where())),
    "ip.link.up": command(linkSchema, async ({ name }) => void (await set(name, "up"))),
    "ip.link.down": command(linkSchema, async ({ name }) => void (await set(name, "down"))),
    "ip.link.name": command(linkSchema.extend({ new: z.string() }), async ({ name, new: other }) => {
      await set(name, "name", checkLinkName(other));
    }),
    "ip.addr.list": command(linkSchema, async ({ name }) => one(name).link.addresses.map((it) => it.address)),
    "ip.addr.add": command(addressSchema, (given) => address("add", given)),
    "ip.addr.del": command(addressSchema, (given) => address("delete", given)),
    "ip.route.list": command(z.unknown(), async () => {
      const texts = await Promise.all(
        where().flatMap((namespace) =>
          ["-4", "-6"].map((family) => run(["ip", ...inNamespace(namespace), family, "-json", "route", "show"])),
        ),
      );
      return texts
        .flatMap((text) => routesSchema.parse(JSON.parse(text || "[]")))
        .map(({ dst, gateway = "", dev = "" }) => ({ dev, dst: dst === "default" ? "" : dst, gw: gateway }));
    }),
    "ip.route.add": command(routeSchema, (given) => route("add", given)),
    "ip.route.del": command(routeSchema, (given) => route("delete", given)),
    "ip.bridge.add": command(linkSchema.extend({ hwaddr: optional }), async ({ name, hwaddr }) => {
      const [first = "self"] = where();
      const mac = hwaddr === undefined ? [] : ["address", parseMac(hwaddr)];
      await run(["ip", ...inNamespace(first), "link", "add", "name", checkLinkName(name), ...mac, "type", "bridge"]);
    }),
    "ip.bridge.del": command(linkSchema, async ({ name }) => {
      const placed = bridge(name, where());
      await at(placed, "link", "delete", "dev", placed.link.name);
    }),
    "ip.bridge.addif": command(memberSchema, async ({ name, inf }) => {
      await set(inf, "master", bridge(name, where()).link.name);
    }),
    "ip.bridge.delif": command(memberSchema, async ({ name, inf }) => {
      if (one(inf).link.master !== bridge(name, where()).link.index)
        throw new YardError("zeroos.bad-argument", `${inf} is not connected to the bridge ${name}`);
      await set(inf, "nomaster");
    }),
  };
}

/** A link, and where it is. */
interface Placed {
  readonly link: Link;
  readonly namespace: NamespaceRef;
}

function inNamespace(namespace: NamespaceRef): readonly string[] {
  return typeof namespace === "object" && "name" in namespace ? ["-n", namespace.name] : [];
}

/** The links of all; of those with one name only the first. */
function all(namespaces: readonly NamespaceRef[]): readonly Placed[] {
  const placed = new Map<string, Placed>();
  for (const namespace of namespaces)
    for (const link of viewNamespace(namespace).links.values())
      if (!placed.has(link.name)) placed.set(link.name, { link, namespace });
  return [...placed.values()];
}

/** @throws YardError `zeroos.no-link` */
function found(name: string, namespaces: readonly NamespaceRef[]): Placed {
  const placed = all(namespaces).find(({ link }) => link.name === name);
  if (placed === undefined) throw new YardError("zeroos.no-link", `Link not found: there is none named ${name}`);
  return placed;
}

/** @throws YardError `zeroos.no-link`, `zeroos.bad-argument` */
function bridge(name: string, namespaces: readonly NamespaceRef[]): Placed {
  const placed = found(name, namespaces);
  if (placed.link.kind === "bridge") return placed;
  throw new YardError("zeroos.bad-argument", `no bridge with name '${name}'`);
}

function linkList(namespaces: readonly NamespaceRef[]): object[] {
  const names = new Map(
    namespaces.map((namespace) => [
      namespace,
      new Map([...viewNamespace(namespace).links.values()].map(({ index, name }) => [index, name])),
    ]),
  );
  return all(namespaces).map(({ link: { name, kind, mac, up, master }, namespace }) => ({
    name,
    type: kind === "" ? "device" : kind,
    hwaddr: mac,
    master: names.get(namespace)?.get(master) ?? "",
    up,
  }));
}

function nicInfo({ link: { name, mtu, mac, up, addresses }, namespace }: Placed): object {
  const loopback = name === "lo";
  return {
    name,
    mtu,
    hardwareaddr: loopback ? "" : mac,
    flags: [...(up ? ["up"] : []), loopback ? "loopback" : "broadcast", ...(loopback ? [] : ["multicast"])],
    addrs: addresses.map((it) => ({ addr: it.address })),
    speed: namespace === "self" ? speedOf(name) : 0,
  };
}

/** Mbit/s; 0 where the kernel does not say. */
function speedOf(name: string): number {
  try {
    return Math.max(0, Number(readFileSync(`/sys/class/net/${name}/speed`, "utf8")));
  } catch {
    return 0;
  }
}
