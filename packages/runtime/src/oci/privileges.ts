import { readdirSync, readFileSync, statSync } from "node:fs";
import { YardError } from "@switchyard/base";

/** What a container may do without being asked for more: the same set that Docker and podman's Docker profile give. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  "CAP_AUDIT_WRITE",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_MKNOD",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

/** Capabilities in the kernel's order (linux/capability.h): bit n of CapBnd in /proc/self/status. */
const ALL_CAPABILITIES: readonly string[] = (
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
  "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN " +
  "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE " +
  "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
  .split(" ")
  .map((name) => `CAP_${name}`);

/** What this process could hand on at most; a container cannot get more than its host's root has. */
function bounding(): Set<string> {
  const line = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  const mask = BigInt(`0x${line?.[1] ?? "0"}`);
  return new Set(ALL_CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n));
}

/** Whether this host's root has all that its kernel knows: only then can an engine make a container privileged. */
export function canPrivilege(): boolean {
  const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
  const can = bounding();
  return ALL_CAPABILITIES.slice(0, last + 1).every((name) => can.has(name));
}

/**
 * The capabilities of a container: Docker's set with `capAdd`, all when privileged, less what this host's root lacks.
 *
 * @throws YardError `runtime.capability-unknown`, `runtime.capability-absent` when one that was asked for by name
 *   cannot be had here
 */
export function capabilitiesOf(options: { privileged: boolean; capAdd: readonly string[] }): string[] {
  const can = bounding();
  const added = options.capAdd.map((name) => {
    const upper = name.toUpperCase();
    return upper === "ALL" || upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  });
  for (const name of added) {
    if (name === "ALL") continue;
    if (!ALL_CAPABILITIES.includes(name))
      throw new YardError("runtime.capability-unknown", `there is no capability ${name}`, {
        hint: "the names are in capabilities(7), for example NET_ADMIN",
      });
    if (!can.has(name))
      throw new YardError("runtime.capability-absent", `this host's root has no ${name} to give`, {
        hint: "see CapBnd in /proc/self/status; run on a host (or container) that has it",
      });
  }
  const all = options.privileged || added.includes("ALL");
  return (all ? ALL_CAPABILITIES : [...new Set([...DEFAULT_CAPABILITIES, ...added])]).filter((name) => can.has(name));
}

/** A device node as config.json has it, and the permission that goes with it. */
export interface Device {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  readonly access: string;
}

/**
 * `HOST[:INSIDE][:rwm]`, as Docker's `--device`.
 *
 * @throws YardError `runtime.device-absent`, `runtime.device-bad`
 */
export function parseDevice(text: string): Device {
  const [host = "", second, third] = text.split(":");
  const onlyAccess = second !== undefined && third === undefined && /^[rwm]{1,3}$/.test(second);
  const inside = second === undefined || onlyAccess ? host : second;
  const access = third ?? (onlyAccess ? second : "rwm");
  if (!host.startsWith("/") || !inside.startsWith("/") || !/^[rwm]{1,3}$/.test(access))
    throw new YardError("runtime.device-bad", `"${text}" is not HOST[:INSIDE][:rwm]`);
  const device = deviceAt(host, inside, access);
  if (device === undefined)
    throw new YardError("runtime.device-absent", `${host} is no device of this host`, {
      hint: "check its name, and that its driver is loaded",
    });
  return device;
}

/** Every device of the host, for privileged containers; those that runc makes itself are left to it. */
export function allDevices(): Device[] {
  const own = /^\/dev\/(console|ptmx|pts|shm|mqueue|fd|null|zero|full|random|urandom|tty)$/;
  const below = (folder: string): Device[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (own.test(path) || entry.isSymbolicLink()) return [];
      return entry.isDirectory() ? below(path) : (deviceAt(path, path, "rwm") ?? []);
    });
  return below("/dev");
}

function deviceAt(host: string, inside: string, access: string): Device | undefined {
  const stat = statSync(host, { throwIfNoEntry: false });
  if (stat === undefined || !(stat.isCharacterDevice() || stat.isBlockDevice())) return undefined;
  // The split of dev_t as glibc's gnu_dev_major and gnu_dev_minor have it; the parts above 2^32 are never used here.
  const { rdev } = stat;
  return {
    path: inside,
    type: stat.isCharacterDevice() ? "c" : "b",
    major: (rdev >>> 8) & 0xfff,
    minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00),
    fileMode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    access,
  };
}
