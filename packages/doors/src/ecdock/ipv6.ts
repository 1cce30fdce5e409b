import { existsSync } from "node:fs";
import type { Cidr } from "@switchyard/base";
import { type NamespaceRef, setSysctls } from "@switchyard/linux";

/**
 * Lets a device have IPv6 addresses, which engines and bridges may forbid to new ones.
 *
 * @returns those that it can have: none where the kernel has no IPv6
 */
export function allowIpv6(namespace: NamespaceRef, device: string, addresses: readonly Cidr[]): readonly Cidr[] {
  if (addresses.length === 0 || !existsSync("/proc/net/if_inet6")) return [];
  // A dot within a device's name is written as a slash (sysctl(8)).
  setSysctls(namespace, { [`net.ipv6.conf.${device.replaceAll(".", "/")}.disable_ipv6`]: "0" });
  return addresses;
}
