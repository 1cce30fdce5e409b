/** What the running kernel is and has. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { Excursion } from "./excursion.ts";
import { errnoName, libc } from "./ffi.ts";
import { createLink } from "./netlink/link.ts";
import { NetlinkSocket } from "./netlink/socket.ts";

/** Whether the process acts as root (effective user id 0), which all that changes the network needs. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** A UUID that is new with every boot of the host. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** The running kernel's release, `6.1.0-18-amd64`. */
export function kernelRelease(): string {
  return release();
}

/** Whether the kernel keeps IFA_PROTO, who made an address: Linux 5.18 or newer. */
export function marksAddresses(): boolean {
  marks ??= isAtLeast(kernelRelease(), 5, 18);
  return marks;
}

let marks: boolean | undefined;

/**
 * Whether a link with that MTU has IPv6: not one below IPv6's least (RFC 8200, 5), and none where the kernel was told to
 * do without (`ipv6.disable=1`).
 */
export function hasIpv6(mtu = 1500): boolean {
  ipv6 ??= existsSync("/proc/net/if_inet6");
  return ipv6 && mtu >= 1280;
}

let ipv6: boolean | undefined;

/** Whether a release such as `6.1.0-18-amd64` is that version or a newer one. */
export function isAtLeast(text: string, major: number, minor: number): boolean {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}

/** Whether a network namespace can be made, found out by making one, which is gone at once. */
export function canMakeNamespace(): boolean {
  try {
    using excursion = new Excursion();
    libc().close(excursion.socketInNew());
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether the kernel can make links of a kind (`veth`, `bridge`, `vxlan`, `vlan`, …), found out by asking for one in a
 * namespace that is gone at once; the kernel loads a module for it if it has one.
 *
 * @throws YardError `linux.call-failed` where no namespace can be made
 */
export function knowsLinkKind(kind: string): boolean {
  using excursion = new Excursion();
  using socket = NetlinkSocket.adopt(excursion.socketInNew());
  const [answer] = socket.request([createLink("probe0", kind)]);
  // Lacking a parent or an id it may well refuse, but not because it does not know the kind.
  return answer !== undefined && errnoName(answer.errno) !== "EOPNOTSUPP";
}

/** Hugepages of one size. */
export interface Hugepages {
  /** Of one page, in KiB. */
  readonly size: number;
  readonly total: number;
  readonly free: number;
}

/** The hugepages that the host has reserved, by size; none where the kernel has no such thing. */
export function hugepages(): Hugepages[] {
  const directory = "/sys/kernel/mm/hugepages";
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  const read = (name: string, file: string) => Number(readFileSync(`${directory}/${name}/${file}`, "utf8"));
  return names.flatMap((name) => {
    const size = /^hugepages-(\d+)kB$/.exec(name)?.[1];
    if (size === undefined) return [];
    return [{ size: Number(size), total: read(name, "nr_hugepages"), free: read(name, "free_hugepages") }];
  });
}
