import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { parseCidr } from "@switchyard/base";
import { readSysctls } from "@switchyard/linux";
import type { HostAddress, Uplink } from "./desire-nat.ts";

/** What the host's own network is like, so far as networks of type nat hang on it. */
export function hostNetwork(): { readonly addresses: readonly HostAddress[]; readonly uplinks: readonly Uplink[] } {
  const addresses = Object.entries(networkInterfaces()).flatMap(([device, list]) =>
    (list ?? []).flatMap(({ cidr }) => (cidr === null ? [] : [{ device, address: parseCidr(cidr) }])),
  );
  const devices = defaultRouteDevices();
  const name = (device: string) => `net.ipv4.conf.${device.replaceAll(".", "/")}.forwarding`;
  const values = devices.length === 0 ? {} : readSysctls("self", devices.map(name));
  return { addresses, uplinks: devices.map((device) => ({ device, forwarding: values[name(device)] !== "0" })) };
}

/** The first column is the link, the second the destination in hexadecimal, the eighth its mask (proc(5), route). */
function defaultRouteDevices(): string[] {
  const lines = readFileSync("/proc/net/route", "utf8").split("\n").slice(1);
  const routes = lines.map((line) => line.split("\t"));
  return [
    ...new Set(
      routes.flatMap(([device, to, , , , , , mask]) => (to === "00000000" && mask === to && device ? [device] : [])),
    ),
  ];
}
