/** Links, addresses and routes, as clients read and set them: `info.nic` and `ip.*`. */
import { readFileSync } from "node:fs";
import { parseCidr, parseIp, parseMac, run, YardError } from "@switchyard/base";
import { checkLinkName, type Link, type NamespaceRef, viewNamespace } from "@switchyard/linux";
import { z } from "zod";
import { command, type Handler } from "../job.ts";

const link = z.object({ name: z.string() });
const optional = z
  .string()
  .nullish()
  .transform((text) => text || undefined);
const address = link.extend({ ip: z.string() });
const route = z.object({ dev: z.string(), dst: optional, gw: optional });
const member = link.extend({ inf: z.string() });

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
 * The commands for one namespace. What they change is the client's own, and bears no mark: the agent leaves it alone.
 *
 * @param where tells the namespace when the command runs
 */
export function ipCommands(where: () => NamespaceRef): Readonly<Record<string, Handler>> {
  const ip = (...argv: readonly string[]) => run(["ip", ...inNamespace(where()), ...argv]);
  return {
    "info.nic": command(z.unknown(), async () => {
      const namespace = where();
      return [...viewNamespace(namespace).links.values()].map((one) => nicInfo(one, namespace));
    }),
    "ip.link.list": command(z.unknown(), async () => linkList(where())),
    "ip.link.up": command(link, async ({ name }) => void (await ip("link", "set", "dev", known(name, where()), "up"))),
    "ip.link.down": command(
      link,
      async ({ name }) => void (await ip("link", "set", "dev", known(name, where()), "down")),
    ),
    "ip.link.name": command(link.extend({ new: z.string() }), async ({ name, new: other }) => {
      await ip("link", "set", "dev", known(name, where()), "name", checkLinkName(other));
    }),
    "ip.addr.list": command(link, async ({ name }) => found(name, where()).addresses.map((one) => one.address)),
    "ip.addr.add": command(address, async ({ name, ip: cidr }) => {
      await ip("address", "add", parseCidr(cidr), "dev", known(name, where()));
    }),
    "ip.addr.del": command(address, async ({ name, ip: cidr }) => {
      await ip("address", "delete", parseCidr(cidr), "dev", known(name, where()));
    }),
    "ip.route.list": command(z.unknown(), async () => {
      const both = await Promise.all([ip("-4", "-json", "route", "show"), ip("-6", "-json", "route", "show")]);
      return both
        .flatMap((text) => routesSchema.parse(JSON.parse(text || "[]")))
        .map(({ dst, gateway = "", dev = "" }) => ({ dev, dst: dst === "default" ? "" : dst, gw: gateway }));
    }),
    "ip.route.add": command(route, async (given) => void (await ip("route", "add", ...routeWords(given, where())))),
    "ip.route.del": command(route, async (given) => void (await ip("route", "delete", ...routeWords(given, where())))),
    "ip.bridge.add": command(link.extend({ hwaddr: optional }), async ({ name, hwaddr }) => {
      const mac = hwaddr === undefined ? [] : ["address", parseMac(hwaddr)];
      await ip("link", "add", "name", checkLinkName(name), ...mac, "type", "bridge");
    }),
    "ip.bridge.del": command(link, async ({ name }) => {
      await ip("link", "delete", "dev", bridge(name, where()).name);
    }),
    "ip.bridge.addif": command(member, async ({ name, inf }) => {
      await ip("link", "set", "dev", known(inf, where()), "master", bridge(name, where()).name);
    }),
    "ip.bridge.delif": command(member, async ({ name, inf }) => {
      const { index } = bridge(name, where());
      if (found(inf, where()).master !== index)
        throw new YardError("zeroos.bad-argument", `${inf} is not connected to the bridge ${name}`);
      await ip("link", "set", "dev", inf, "nomaster");
    }),
  };
}

function inNamespace(namespace: NamespaceRef): readonly string[] {
  return typeof namespace === "object" && "name" in namespace ? ["-n", namespace.name] : [];
}

/** @throws YardError `zeroos.no-link` */
function found(name: string, namespace: NamespaceRef): Link {
  const one = viewNamespace(namespace).links.get(name);
  if (one === undefined) throw new YardError("zeroos.no-link", `Link not found: there is none named ${name}`);
  return one;
}

function known(name: string, namespace: NamespaceRef): string {
  return found(name, namespace).name;
}

function bridge(name: string, namespace: NamespaceRef): Link {
  const one = found(name, namespace);
  if (one.kind !== "bridge") throw new YardError("zeroos.bad-argument", `no bridge with name '${name}'`);
  return one;
}

/** @throws YardError `zeroos.no-link`, `address.bad-cidr`, `address.bad-ip` */
function routeWords({ dev, dst, gw }: z.output<typeof route>, namespace: NamespaceRef): readonly string[] {
  const via = gw === undefined ? [] : ["via", parseIp(gw)];
  return [dst === undefined ? "default" : parseCidr(dst), ...via, "dev", known(dev, namespace)];
}

function linkList(namespace: NamespaceRef): object[] {
  const links = [...viewNamespace(namespace).links.values()];
  const names = new Map(links.map(({ index, name }) => [index, name]));
  return links.map(({ name, kind, mac, up, master }) => ({
    name,
    type: kind === "" ? "device" : kind,
    hwaddr: mac,
    master: names.get(master) ?? "",
    up,
  }));
}

function nicInfo(one: Link, namespace: NamespaceRef): object {
  const { name, mtu, mac, up, addresses } = one;
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
