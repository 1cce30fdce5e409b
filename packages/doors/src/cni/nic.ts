/** A container's nic in the kernel: a veth, its addresses and routes. */
import { spawnSync } from "node:child_process";
import {
  childEnvironment,
  contains,
  family,
  type Ip,
  ipBytes,
  type Mac,
  parseCidr,
  parseIp,
  parseMac,
  YardError,
} from "@switchyard/base";
import {
  applyLinks,
  inNamespace,
  type LinkFailure,
  type LinkOp,
  type NamespaceRef,
  removeLinkNow,
  viewNamespace,
} from "@switchyard/linux";
import type { Result, ResultRoute } from "./result.ts";

/** What both ends shall be. */
export interface VethWish {
  /** On the switch's side. */
  readonly port: string;
  readonly ifname: string;
  readonly alias: string;
  readonly mac: Mac | undefined;
  readonly mtu: number | undefined;
  readonly offloads: boolean;
  /** Whether it is up at once; else {@link address} brings it up. */
  readonly up: boolean;
}

/** The container's end as it is. */
export interface NicSeen {
  readonly mac: string;
  readonly mtu: number;
}

/** What IPAM gave, in the kernel's terms. */
export interface Addressing {
  readonly ops: readonly LinkOp[];
  /** Routes that are more than those, after them: arguments of ip(8). */
  readonly special: readonly (readonly string[])[];
  /** What the first address says that the MAC shall be, for who asked for none. */
  readonly mac: Mac | undefined;
}

/** @throws YardError `cni.interface-exists`, `namespace.missing` */
export function refuseExisting(container: NamespaceRef, ifname: string): void {
  if (viewNamespace(container).links.has(ifname))
    throw new YardError("cni.interface-exists", `the container has an interface ${ifname} already`);
}

/**
 * @returns the MAC of the switch's end
 * @throws YardError `cni.link-failed`, with nothing made
 */
export function makeVeth(home: NamespaceRef, container: NamespaceRef, wish: VethWish): Mac {
  const { port, ifname, alias, mac, mtu, offloads, up } = wish;
  // Ours to choose, so that it need not be read back from among all the host's links.
  const hostMac = randomMac();
  const veth: LinkOp = {
    op: "veth",
    name: port,
    alias,
    mac: hostMac,
    up: true,
    port: true,
    ...(mtu === undefined ? {} : { mtu }),
    peer: {
      name: ifname,
      namespace: container,
      up,
      ...(mac === undefined ? {} : { mac }),
      ...(offloads ? {} : { offloads: false }),
    },
  };
  const [failure] = applyLinks([{ namespace: home, ops: [veth] }]);
  if (failure === undefined) return hostMac;
  // Whose name it is that was taken is not ours to delete.
  if (failure.errno !== "EEXIST") deleteLink(home, port);
  throw linkFailed(failure);
}

/**
 * Gives an interface that is down its MAC, brings it up, and gives it its addresses and routes.
 *
 * @throws YardError `cni.link-failed`
 */
export function address(
  container: NamespaceRef,
  ifname: string,
  mac: Mac | undefined,
  { ops, special }: Pick<Addressing, "ops" | "special"> = { ops: [], special: [] },
): void {
  const up: LinkOp = { op: "set", name: ifname, up: true, ...(mac === undefined ? {} : { mac }) };
  const [failure] = applyLinks([{ namespace: container, ops: [up, ...ops] }]);
  if (failure !== undefined) throw linkFailed(failure);
  for (const argv of special) {
    const { status, stderr } = inNamespace(container, () =>
      spawnSync("ip", argv, { encoding: "utf8", env: childEnvironment() }),
    );
    if (status !== 0) throw new YardError("cni.link-failed", `ip ${argv.join(" ")}: ${stderr.trim()}`);
  }
}

/** Moves a link to the container, where it has another name. @throws YardError `cni.link-failed` */
export function moveLink(
  home: NamespaceRef,
  name: string,
  container: NamespaceRef,
  ifname: string,
  mtu: number | undefined,
): void {
  const rename: LinkOp = { op: "set", name, rename: ifname, ...(mtu === undefined ? {} : { mtu }) };
  const [failure] = applyLinks([
    { namespace: home, ops: [{ op: "set", name, namespace: container }] },
    { namespace: container, ops: [rename] },
  ]);
  if (failure !== undefined) throw linkFailed(failure);
}

/** @throws YardError `cni.link-failed` where it has gone meanwhile */
export function seenNic(container: NamespaceRef, ifname: string): NicSeen {
  const link = viewNamespace(container).links.get(ifname);
  if (link === undefined)
    throw new YardError("cni.link-failed", `the interface ${ifname} was removed by somebody else`);
  return link;
}

/** A link that is gone is no failure. */
export function deleteLink(namespace: NamespaceRef, name: string): void {
  refuseStanding(removeLinkNow(namespace, name));
}

/** @param failure of deleting a link: that it is gone is none. @throws YardError `cni.link-failed` */
export function refuseStanding(failure: LinkFailure | undefined): void {
  if (failure !== undefined && failure.errno !== "ENODEV" && failure.errno !== "ENOENT") throw linkFailed(failure);
}

function linkFailed({ op, message }: LinkFailure): YardError {
  return new YardError("cni.link-failed", `${describe(op)}: ${message}`);
}

/** Of those that are nobody's: bit 1 of the first byte set, and bit 0, the group's, not (IEEE 802). */
function randomMac(): Mac {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return parseMac([...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":"));
}

/**
 * Addresses and routes of a result for an interface.
 *
 * @throws those of base's addresses
 */
export function addressing(result: Result, ifname: string): Addressing {
  const addresses = result.ips.map(({ address }) => parseCidr(address));
  const gateways = result.ips.flatMap(({ gateway }) => (gateway === undefined ? [] : [parseIp(gateway)]));
  const routes = result.routes.map((route) => {
    const dst = parseCidr(route.dst);
    const version = family(dst);
    // As the reference plugins have it: a route without a router goes by the one of its addresses, if there is one.
    const via = route.gw === undefined ? gateways.find((one) => family(one) === version) : parseIp(route.gw);
    return { ...route, dst, version, via };
  });
  // One whose router is reached by another route comes after that.
  const near = ({ via }: { via: Ip | undefined }) => via === undefined || addresses.some((cidr) => contains(cidr, via));
  const ordered = [...routes.filter(near), ...routes.filter((route) => !near(route))];
  return {
    ops: [
      ...addresses.map((address): LinkOp => ({ op: "address-add", name: ifname, address })),
      ...ordered
        .filter((route) => !isSpecial(route))
        .map(({ dst, version, via, priority }): LinkOp => {
          const to = dst.endsWith("/0") ? (version === 4 ? "default4" : "default6") : dst;
          const rest = {
            ...(via === undefined ? {} : { via }),
            ...(priority === undefined ? {} : { metric: priority }),
          };
          return { op: "route-add", route: { to, dev: ifname, ...rest } };
        }),
    ],
    special: ordered.filter(isSpecial).map(({ dst, version, via, ...route }) => {
      const words = [
        ...(via === undefined ? [] : ["via", via]),
        ...(route.priority === undefined ? [] : ["metric", `${route.priority}`]),
        ...(route.table === undefined ? [] : ["table", `${route.table}`]),
        ...(route.scope === undefined ? [] : ["scope", `${route.scope}`]),
        ...(route.mtu === undefined ? [] : ["mtu", `${route.mtu}`]),
        ...(route.advmss === undefined ? [] : ["advmss", `${route.advmss}`]),
      ];
      return [`-${version}`, "route", "add", dst, "dev", ifname, ...words];
    }),
    mac: macOf(result),
  };
}

/** What CNI 1.1.0 can say of a route, and few networks do. */
function isSpecial({ mtu, advmss, table, scope }: ResultRoute): boolean {
  return [mtu, advmss, table, scope].some((value) => value !== undefined);
}

/** `0a:58` and the IPv4 address, or the beginning of a hash of the IPv6 one: a new container at an old address is no news to others' ARP caches. */
function macOf({ ips }: Result): Mac | undefined {
  const first = ips.find(({ address }) => !address.includes(":")) ?? ips[0];
  if (first === undefined) return undefined;
  const [text = ""] = first.address.split("/");
  const bytes = text.includes(":")
    ? new Bun.CryptoHasher("sha256").update(ipBytes(parseIp(text))).digest()
    : ipBytes(parseIp(text));
  const tail = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"));
  return parseMac(["0a", "58", ...tail].join(":"));
}

function describe(op: LinkOp): string {
  switch (op.op) {
    case "veth":
      return `making the interface ${op.peer.name}`;
    case "set":
      return `setting up the interface ${op.name}`;
    case "address-add":
      return `giving ${op.name} the address ${op.address}`;
    case "route-add":
      return `adding the route to ${op.route.to.replace(/^default[46]$/, "everywhere")}`;
    default:
      return op.op;
  }
}
