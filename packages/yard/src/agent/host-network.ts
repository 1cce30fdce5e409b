import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { parseCidr } from "@switchyard/base";
import { linkSysctl, readSysctls, viewNamespace } from "@switchyard/linux";
import { isOfYard } from "../store/host-subnets.ts";
import type { Rows } from "../store/rows.ts";
import type { HostAddress, Uplink } from "./host-facts.ts";

/** What the host's own network is like, so far as a yard's gateways hang on it. */
export function hostNetwork(yard: string): {
  readonly addresses: readonly HostAddress[];
  readonly uplinks: readonly Uplink[];
} {
  const addresses = Object.entries(networkInterfaces()).flatMap(([device, list]) => {
    const ours = isOfYard(yard, device);
    return (list ?? []).flatMap(({ cidr }) => (cidr === null ? [] : [{ device, address: parseCidr(cidr), ours }]));
  });
  return { addresses, uplinks: hostUplinks() };
}

/** By which links the host reaches the world. */
export function hostUplinks(): Uplink[] {
  const devices = defaultRouteDevices4();
  const name = (device: string) => linkSysctl(4, device, "forwarding");
  const values = devices.length === 0 ? {} : readSysctls("self", devices.map(name));
  return devices.map((device) => ({ device, forwarding: values[name(device)] !== "0" }));
}

/**
 * Of the bridges that networks name, those that are the kernel's own.
 *
 * @param onSwitch whether the switch has a bridge of that name, which is meant then
 */
export function kernelBridges(rows: Rows, onSwitch: (bridge: string) => boolean): ReadonlySet<string> {
  const named = rows.networks.flatMap((it) => (it.type === "bridge" && !onSwitch(it.bridge) ? [it.bridge] : []));
  if (named.length === 0) return new Set();
  const { links } = viewNamespace("self");
  return new Set(named.filter((name) => links.get(name)?.kind === "bridge"));
}

/** The links that a default route of the host leaves by, of either family. */
export function defaultRouteDevices(): string[] {
  return [...new Set([...defaultRouteDevices4(), ...defaultRouteDevices6()])];
}

/** Destination and its prefix length stand first, the link last (proc(5), ipv6_route); `lo` has one that refuses all. */
function defaultRouteDevices6(): string[] {
  const path = "/proc/net/ipv6_route";
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  return lines.flatMap((line) => {
    const [to, prefix, ...rest] = line.split(/ +/);
    const device = rest.at(-1);
    return to === "0".repeat(32) && prefix === "00" && device && device !== "lo" ? [device] : [];
  });
}

/** The first column is the link, the second the destination in hexadecimal, the eighth its mask (proc(5), route). */
function defaultRouteDevices4(): string[] {
  const lines = readFileSync("/proc/net/route", "utf8").split("\n").slice(1);
  const routes = lines.map((line) => line.split("\t"));
  return [
    ...new Set(
      routes.flatMap(([device, to, , , , , , mask]) => (to === "00000000" && mask === to && device ? [device] : [])),
    ),
  ];
}
