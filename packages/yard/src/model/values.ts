/** Values that are written as one text: sizes, ports, binds, devices, capabilities. */
import { isAbsolute, normalize, resolve } from "node:path";
import { type Ip, parseIp, YardError } from "@switchyard/base";
import { suggest } from "./nearest.ts";
import type { PortForward } from "./types.ts";

const UNITS = ["", "k", "m", "g", "t"];
/** Docker's lower limit; less is most likely a forgotten unit. */
const LEAST_MEMORY = 6 * 1024 * 1024;

/**
 * Bytes of `64M`, `1.5G`, `1048576`; units are of 1024, `M`, `MB` and `MiB` are the same.
 *
 * @throws YardError `memory.bad-size`, `memory.too-small`
 */
export function parseMemory(size: string | number): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?$/i.exec(String(size).trim());
  const bytes = Math.floor(Number(match?.[1]) * 1024 ** UNITS.indexOf((match?.[2] ?? "").toLowerCase()));
  if (!Number.isSafeInteger(bytes))
    throw new YardError("memory.bad-size", `"${size}" is not an amount of memory`, {
      hint: "write it like 64M or 1.5G",
    });
  if (bytes < LEAST_MEMORY)
    throw new YardError("memory.too-small", `${bytes} bytes of memory are less than the 6M that a node needs`, {
      hint: match?.[2] === undefined ? `did you mean ${match?.[1]}M?` : "give it 6M or more",
    });
  return bytes;
}

/**
 * `[address:]host-port:node-port[/tcp|udp]`.
 *
 * @throws YardError `port.bad-forward`, `address.bad-ip`
 */
export function parsePort(written: string): PortForward {
  const match = /^(?:(\[[^\]]*\]|[^:[\]]*):)?(\d{1,5}):(\d{1,5})(?:\/(\w+))?$/.exec(written);
  const [, address, host, node, protocol = "tcp"] = match ?? [];
  const [hostPort, nodePort] = [Number(host), Number(node)];
  const inRange = (port: number) => port >= 1 && port <= 65535;
  if (match === null || !inRange(hostPort) || !inRange(nodePort) || (protocol !== "tcp" && protocol !== "udp"))
    throw new YardError("port.bad-forward", `"${written}" does not publish a port`, {
      hint: 'write "8080:80", "127.0.0.1:8080:80" or "8053:53/udp": the host\'s port first, each 1..65535',
    });
  return {
    address: address === undefined ? undefined : parseIp(address.replace(/^\[|\]$/g, "")),
    hostPort,
    nodePort,
    protocol,
  };
}

/** What a port is published on, for telling two apart that cannot both be. */
export function portKey(port: PortForward): string {
  return `${port.hostPort}/${port.protocol}`;
}

/** Whether two published ports with the same {@link portKey} want the same address. */
export function portsClash(a: Ip | undefined, b: Ip | undefined): boolean {
  const every = (address: Ip | undefined) => address === undefined || address === "0.0.0.0" || address === "::";
  return every(a) || every(b) || a === b;
}

/**
 * `source:target[:ro|rw]`, the source made absolute.
 *
 * @param folder what a relative source is relative to
 * @throws YardError `bind.bad-mount`
 */
export function parseBind(written: string, folder: string): string {
  const [source, target, mode, ...rest] = written.split(":");
  const wrong = (problem: string, hint: string) => new YardError("bind.bad-mount", `"${written}" ${problem}`, { hint });
  if (!source || !target || rest.length > 0)
    throw wrong("is not source:target", "write ./folder:/place/in/the/container, and :ro behind it to forbid writing");
  if (mode !== undefined && mode !== "ro" && mode !== "rw")
    throw wrong(`ends with "${mode}"`, "end it with ro or rw, or with neither");
  if (source === "~" || source.startsWith("~/"))
    throw wrong("begins with ~, which only a shell knows", "write the folder out");
  if (!isAbsolute(target) || normalize(target) === "/" || target.split("/").includes(".."))
    throw wrong(`has the target "${target}"`, "the target is an absolute path below /");
  return [resolve(folder, source), normalize(target), ...(mode === undefined ? [] : [mode])].join(":");
}

/** @throws YardError `device.bad-path` */
export function parseDevice(written: string): string {
  if (!/^\/dev\/[^:\s]+(:\/dev\/[^:\s]+)?(:[rwm]{1,3})?$/.test(written) || written.includes(".."))
    throw new YardError("device.bad-path", `"${written}" is not a device`, {
      hint: "write /dev/net/tun, or /dev/a:/dev/b:rwm",
    });
  return written;
}

/** capabilities(7), Linux 6.x. */
const CAPABILITIES = (
  "ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER " +
  "FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE " +
  "NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE " +
  "SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"
).split(" ");

/** @returns the name without `CAP_` @throws YardError `capability.unknown` */
export function parseCapability(written: string): string {
  const name = written.toUpperCase().replace(/^CAP_/, "");
  if (CAPABILITIES.includes(name)) return name;
  const hint = suggest(name, CAPABILITIES);
  throw new YardError("capability.unknown", `"${written}" is not a capability`, hint === undefined ? {} : { hint });
}

/** @throws YardError `user.bad-name` */
export function parseUser(written: string | number): string {
  const user = String(written);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?$/.test(user))
    throw new YardError("user.bad-name", `"${user}" is not a user`, { hint: "write name, uid, or user:group" });
  return user;
}

/** RFC 1123 §2.1. @throws YardError `hostname.bad-name` */
export function parseHostname(written: string): string {
  if (
    written.length > 63 ||
    !/^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/.test(written)
  )
    throw new YardError("hostname.bad-name", `"${written}" cannot be a host name`, {
      hint: "letters, digits and inner dashes, at most 63",
    });
  return written;
}

/** @throws YardError `image.bad-name`: it would be taken for an option, or for two words */
export function parseImage(written: string): string {
  if (!/^[A-Za-z0-9./_][A-Za-z0-9./_:@+-]{0,254}$/.test(written))
    throw new YardError("image.bad-name", `"${written}" cannot be the name of an image`, {
      hint: "write it like busybox or docker.io/library/nginx:1.27",
    });
  return written;
}
