/** A container's nic in the kernel: a veth, its addresses and routes. */
import { contains, family, ipBytes, type Mac, parseCidr, parseIp, parseMac, YardError } from "@switchyard/base";
import { applyLinks, type LinkOp, type NamespaceRef, type Route, viewNamespace } from "@switchyard/linux";
import type { Result } from "./result.ts";

/** What both ends shall be. */
export interface VethWish {
  /** On the switch's side. */
  readonly port: string;
  readonly ifname: string;
  readonly alias: string;
  readonly mac: Mac | undefined;
  readonly mtu: number | undefined;
  readonly offloads: boolean;
}

/** Both ends as they are. */
export interface VethMade {
  readonly hostMac: string;
  readonly mac: string;
  readonly mtu: number;
}

/** What IPAM gave, in the kernel's terms. */
export interface Addressing {
  readonly ops: readonly LinkOp[];
  /** What the first address says that the MAC shall be, for who asked for none. */
  readonly mac: Mac | undefined;
}

/** @throws YardError `cni.interface-exists`, `namespace.missing` */
export function refuseExisting(container: NamespaceRef, ifname: string): void {
  if (viewNamespace(container).links.has(ifname))
    throw new YardError("cni.interface-exists", `the container has an interface ${ifname} already`);
}

/** @throws YardError `cni.link-failed`, with nothing made */
export function makeVeth(
  home: NamespaceRef,
  container: NamespaceRef,
  wish: VethWish,
  ops: readonly LinkOp[],
): VethMade {
  const { port, ifname, alias, mac, mtu, offloads } = wish;
  const veth: LinkOp = {
    op: "veth",
    name: port,
    alias,
    up: true,
    port: true,
    ...(mtu === undefined ? {} : { mtu }),
    peer: {
      name: ifname,
      namespace: container,
      up: true,
      ...(mac === undefined ? {} : { mac }),
      ...(offloads ? {} : { offloads: false }),
    },
  };
  const failures = applyLinks([
    { namespace: home, ops: [veth] },
    { namespace: container, ops },
  ]);
  const [failure] = failures;
  if (failure !== undefined) {
    // Whose name it is that was taken is not ours to delete.
    if (!(failure.op === veth && failure.errno === "EEXIST")) deleteLink(home, port);
    throw new YardError("cni.link-failed", `${describe(failure.op)}: ${failure.message}`);
  }
  const [near, far] = [viewNamespace(home).links.get(port), viewNamespace(container).links.get(ifname)];
  if (near === undefined || far === undefined)
    throw new YardError("cni.link-failed", `the interface ${ifname} was removed by somebody else`);
  return { hostMac: near.mac, mac: far.mac, mtu: far.mtu };
}

/** A link that is gone is no failure. */
export function deleteLink(namespace: NamespaceRef, name: string): void {
  const [failure] = applyLinks([{ namespace, ops: [{ op: "delete", name }] }]);
  if (failure !== undefined && failure.errno !== "ENODEV" && failure.errno !== "ENOENT")
    throw new YardError("cni.link-failed", `${describe(failure.op)}: ${failure.message}`);
}

/**
 * Addresses and routes of a result for an interface.
 *
 * @throws YardError `cni.unsupported` for what of a route the kernel is not told here; those of base's addresses
 */
export function addressing(result: Result, ifname: string): Addressing {
  const addresses = result.ips.map(({ address }) => parseCidr(address));
  const gateways = result.ips.flatMap(({ gateway }) => (gateway === undefined ? [] : [parseIp(gateway)]));
  const routes = result.routes.map((route): Route => {
    for (const field of ["mtu", "advmss", "table", "scope"] as const)
      if (route[field] !== undefined)
        throw new YardError("cni.unsupported", `the route to ${route.dst} has ${field}, which is not served`);
    const dst = parseCidr(route.dst);
    const version = family(dst);
    // As the reference plugins have it: a route without a router goes by the one of its addresses, if there is one.
    const via = route.gw === undefined ? gateways.find((one) => family(one) === version) : parseIp(route.gw);
    return {
      to: dst.endsWith("/0") ? (version === 4 ? "default4" : "default6") : dst,
      dev: ifname,
      ...(via === undefined ? {} : { via }),
      ...(route.priority === undefined ? {} : { metric: route.priority }),
    };
  });
  // One whose router is reached by another route comes after that.
  const near = ({ via }: Route) => via === undefined || addresses.some((cidr) => contains(cidr, via));
  const ordered = [...routes.filter(near), ...routes.filter((route) => !near(route))];
  return {
    ops: [
      ...addresses.map((address): LinkOp => ({ op: "address-add", name: ifname, address })),
      ...ordered.map((route): LinkOp => ({ op: "route-add", route })),
    ],
    mac: macOf(result),
  };
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
    case "address-add":
      return `giving ${op.name} the address ${op.address}`;
    case "route-add":
      return `adding the route to ${op.route.to.replace(/^default[46]$/, "everywhere")}`;
    default:
      return op.op;
  }
}
