/** Operations as lines of an `ip -batch` file (ip-link(8), ip-address(8), ip-route(8)). */
import { family, type Ip, ipBytes, YardError } from "@switchyard/base";
import { hasIpv6 } from "./kernel.ts";
import { ROUTE_PROTOCOL } from "./netlink/address.ts";
import { routeFamily } from "./netlink/route.ts";
import { SINK_MTU, sinkKind } from "./sink.ts";
import type { LinkOp, NamespaceRef, Route } from "./types.ts";

/** A line, and the namespace that it belongs to when that is not the batch's. */
export interface OpLine {
  readonly line: string;
  readonly far?: NamespaceRef;
}

/** A link that shall leave its checksums to others, or not, once the lines are done: `ip` cannot say it. */
export interface OffloadSetting {
  readonly name: string;
  readonly on: boolean;
  /** As of {@link OpLine}. */
  readonly far?: NamespaceRef;
}

/** What an operation says of offloads. */
export function offloadOf(op: LinkOp): OffloadSetting | undefined {
  if (op.op === "set" && op.offloads !== undefined) return { name: op.rename ?? op.name, on: op.offloads };
  if (op.op !== "veth" || op.peer.offloads === undefined) return undefined;
  return { name: op.peer.name, on: op.peer.offloads, far: op.peer.namespace };
}

/** @throws YardError `link.bad-value` for what a batch file cannot say */
export function linesOf(op: LinkOp): OpLine[] {
  switch (op.op) {
    case "veth": {
      const { peer, mtu } = op;
      const size = mtu === undefined ? [] : ["mtu", String(mtu)];
      const words = ["link", "add", "name", op.name, ...size];
      if (op.mac !== undefined) words.push("address", op.mac);
      if (op.up === true && !op.port) words.push("up");
      words.push("type", "veth", "peer", "name", peer.name, ...size);
      if (peer.mac !== undefined) words.push("address", peer.mac);
      words.push("netns", namespaceWord(peer.namespace));
      const lines: OpLine[] = [{ line: join(words) }];
      const own = [...(op.alias === undefined ? [] : alias(op.alias)), ...masterWords(op.master)];
      if (op.port) own.push("arp", "off", ...(hasIpv6(mtu) ? ["addrgenmode", "none"] : []), ...upDown(op.up));
      if (own.length > 0) lines.push({ line: join(["link", "set", "dev", op.name, ...own]) });
      const quiet = peer.port ? ["arp", "off", ...(hasIpv6(mtu) ? ["addrgenmode", "none"] : [])] : [];
      const later = [...(peer.alias === undefined ? [] : alias(peer.alias)), ...quiet, ...upDown(peer.up)];
      if (later.length > 0)
        lines.push({ line: join(["link", "set", "dev", peer.name, ...later]), far: peer.namespace });
      return lines;
    }
    case "tap": {
      const words = ["tuntap", "add", "dev", op.name, "mode", "tap"];
      if (op.owner !== undefined) words.push("user", String(op.owner));
      const own = op.mtu === undefined ? [] : ["mtu", String(op.mtu)];
      if (op.mac !== undefined) own.push("address", op.mac);
      if (op.alias !== undefined) own.push(...alias(op.alias));
      if (op.port) own.push("arp", "off", ...(hasIpv6(op.mtu) ? ["addrgenmode", "none"] : []));
      own.push(...upDown(op.up));
      const lines: OpLine[] = [{ line: join([...words, "vnet_hdr"]) }];
      if (own.length > 0) lines.push({ line: join(["link", "set", "dev", op.name, ...own]) });
      return lines;
    }
    case "macvlan": {
      const words = ["link", "add", "link", op.parent, "name", op.name];
      if (op.mtu !== undefined) words.push("mtu", String(op.mtu));
      if (op.mac !== undefined) words.push("address", op.mac);
      if (op.namespace !== undefined) words.push("netns", namespaceWord(op.namespace));
      const lines: OpLine[] = [{ line: join([...words, "type", op.tap ? "macvtap" : "macvlan", "mode", "bridge"]) }];
      const own = [...(op.alias === undefined ? [] : alias(op.alias)), ...upDown(op.up)];
      const far = op.namespace === undefined ? {} : { far: op.namespace };
      if (own.length > 0) lines.push({ line: join(["link", "set", "dev", op.name, ...own]), ...far });
      return lines;
    }
    case "bridge": {
      const words = ["link", "add", "name", op.name, ...(op.mtu === undefined ? [] : ["mtu", String(op.mtu)])];
      if (op.mac !== undefined) words.push("address", op.mac);
      const lines: OpLine[] = [{ line: join([...words, "type", "bridge"]) }];
      const own = [...(op.alias === undefined ? [] : alias(op.alias)), ...groupWords(op.group), ...upDown(op.up)];
      if (own.length > 0) lines.push({ line: join(["link", "set", "dev", op.name, ...own]) });
      return lines;
    }
    case "sink": {
      const own = [...(op.alias === undefined ? [] : alias(op.alias)), "arp", "off"];
      if (hasIpv6()) own.push("addrgenmode", "none");
      return [
        { line: join(["link", "add", "name", op.name, "mtu", String(SINK_MTU), "type", sinkKind()]) },
        { line: join(["link", "set", "dev", op.name, ...own]) },
        ...(op.up === undefined ? [] : [{ line: join(["link", "set", "dev", op.name, ...upDown(op.up)]) }]),
      ];
    }
    case "set": {
      const words = ["link", "set", "dev", op.name, ...masterWords(op.master), ...groupWords(op.group)];
      if (op.mtu !== undefined) words.push("mtu", String(op.mtu));
      if (op.mac !== undefined) words.push("address", op.mac);
      if (op.alias !== undefined) words.push(...alias(op.alias));
      if (op.promisc === false) words.push("promisc", "off");
      if (op.rename !== undefined) words.push("name", op.rename);
      if (op.namespace !== undefined) words.push("netns", namespaceWord(op.namespace));
      return [{ line: join([...words, ...upDown(op.up)]) }];
    }
    case "vxlan": {
      const { id, group, dev, dstport, ttl, learning } = op.vxlan;
      const words = ["link", "add", "name", op.name, ...(op.mtu === undefined ? [] : ["mtu", String(op.mtu)])];
      if (op.up === true) words.push("up");
      // `group` takes multicast addresses only; both words mean the same attribute.
      words.push("type", "vxlan", "id", String(id), isMulticast(group) ? "group" : "remote", group, "dev", dev);
      words.push("dstport", String(dstport), "ttl", ttl === 0 ? "auto" : String(ttl));
      words.push(learning ? "learning" : "nolearning");
      const lines: OpLine[] = [{ line: join(words) }];
      if (op.alias !== undefined) lines.push({ line: join(["link", "set", "dev", op.name, ...alias(op.alias)]) });
      return lines;
    }
    case "delete":
      return [{ line: join(["link", "delete", "dev", op.name]) }];
    case "address-add":
      return [
        { line: join(["address", "add", op.address, "dev", op.name, ...(family(op.address) === 6 ? ["nodad"] : [])]) },
      ];
    case "address-delete":
      return [{ line: join(["address", "delete", op.address, "dev", op.name]) }];
    case "route-add":
      return [{ line: join(["route", "add", ...routeWords(op.route)]) }];
    case "route-delete":
      return [{ line: join(["route", "delete", ...routeWords(op.route)]) }];
  }
}

function routeWords(route: Route): string[] {
  const { to, via, dev, metric } = route;
  const words = [to === "default4" ? "0.0.0.0/0" : to === "default6" ? "::/0" : to];
  if (via !== undefined) words.push("via", ...(routeFamily(route) === family(via) ? [] : ["inet6"]), via);
  if (dev !== undefined) words.push("dev", dev);
  if (metric !== undefined) words.push("metric", String(metric));
  return [...words, "proto", String(ROUTE_PROTOCOL)];
}

function isMulticast(ip: Ip): boolean {
  const first = ipBytes(ip)[0] ?? 0;
  return family(ip) === 4 ? first >= 224 && first <= 239 : first === 0xff;
}

function upDown(up: boolean | undefined): string[] {
  return up === undefined ? [] : [up ? "up" : "down"];
}

function masterWords(master: string | undefined): string[] {
  return master === undefined ? [] : master === "" ? ["nomaster"] : ["master", master];
}

function groupWords(group: number | undefined): string[] {
  return group === undefined ? [] : ["group", String(group)];
}

function alias(text: string): string[] {
  return ["alias", text === "" ? '""' : `"${text}"`];
}

/** `ip` takes a name, a path, or the number of a process. */
function namespaceWord(ref: NamespaceRef): string {
  if (ref === "self") return String(process.pid);
  if ("path" in ref) return ref.path;
  return "name" in ref ? ref.name : String(ref.pid);
}

/** The reader of batch files knows comments, quotes and continued lines, but no way to mean their characters. */
function join(words: readonly string[]): string {
  for (const word of words)
    if (/[#\\']/.test(word) || /"/.test(word.replace(/^"(.*)"$/, "$1")))
      throw new YardError("link.bad-value", `ip -batch cannot be told ${JSON.stringify(word)}`);
  return words.join(" ");
}
