/** config.json of a container (OCI runtime specification 1.0). */
import { YardError } from "@switchyard/base";
import { NETNS_DIR } from "@switchyard/linux";
import type { ContainerConfig } from "../types.ts";
import type { ImageConfig } from "./images/types.ts";
import { allDevices, capabilitiesOf, parseDevice } from "./privileges.ts";
import { seccompProfile } from "./seccomp.ts";
import type { Credentials } from "./user.ts";

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The process part of config.json, which `runc exec --process` takes too. */
export interface OciProcess {
  readonly terminal: boolean;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  readonly capabilities: Readonly<Record<"bounding" | "effective" | "permitted", readonly string[]>>;
  readonly noNewPrivileges: boolean;
}

/** What is hidden from a container of /proc and /sys because it tells of, or reaches, the host (as Docker hides it). */
const MASKED = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** Period of the CPU bandwidth limit in microseconds, as Docker takes it (Documentation/scheduler/sched-bwc.rst). */
const CPU_PERIOD = 100_000;

/** The group and cgroup of a container; no parent, so that containers never contend for making or removing one. */
export function cgroupOf(name: string): string {
  return `switchyard_${name}`;
}

/** What the image or the caller say that it shall run, as Docker combines them: an own entrypoint drops the image's command. */
function argumentsOf(config: ContainerConfig, image: ImageConfig): readonly [string, ...string[]] {
  const entrypoint = config.entrypoint ?? image.entrypoint;
  const command = config.command.length > 0 ? config.command : config.entrypoint === undefined ? image.command : [];
  const [program, ...args] = [...entrypoint, ...command];
  if (program === undefined)
    throw new YardError("runtime.no-command", `${config.name} has no command to run, and neither has its image`, {
      hint: "give the node a command, for example [sleep, infinity]",
    });
  return [program, ...args];
}

function environmentOf(config: ContainerConfig, image: ImageConfig, credentials: Credentials): string[] {
  const merged = { PATH: DEFAULT_PATH, HOSTNAME: config.hostname, HOME: credentials.home, ...image.env, ...config.env };
  return Object.entries(merged).map(([name, value]) => `${name}=${value}`);
}

/** @throws YardError `runtime.no-command`, `runtime.bad-bind` and those of capabilities and devices */
export function ociConfig(
  config: ContainerConfig,
  image: ImageConfig,
  credentials: Credentials,
  rootfs: string,
): { ociVersion: string; process: OciProcess } {
  const capabilities = capabilitiesOf(config);
  const devices = [...(config.privileged ? allDevices() : []), ...config.devices.map(parseDevice)];
  const seccomp = config.privileged ? undefined : seccompProfile(capabilities);
  const { uid, gid, additionalGids } = credentials;
  const process: OciProcess = {
    terminal: false,
    args: argumentsOf(config, image),
    env: environmentOf(config, image, credentials),
    cwd: image.workdir,
    user: { uid, gid, additionalGids },
    // No inheritable and ambient ones: a process that drops root shall not get them back by executing (CVE-2022-24769).
    capabilities: {
      bounding: capabilities,
      permitted: uid === 0 ? capabilities : [],
      effective: uid === 0 ? capabilities : [],
    },
    // As Docker has it: set-user-ID programs of an image (sudo, ping) keep working; the bounding set holds them.
    noNewPrivileges: false,
  };
  const spec = {
    ociVersion: "1.0.2",
    process,
    root: { path: rootfs, readonly: false },
    hostname: config.hostname,
    mounts: [...mounts(config.privileged), ...config.binds.map(bindMount)],
    linux: {
      namespaces: [...networkOf(config), ...["pid", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type }))],
      cgroupsPath: `/${cgroupOf(config.name)}`,
      resources: {
        devices: config.privileged
          ? [{ allow: true, access: "rwm" }]
          : [
              { allow: false, access: "rwm" },
              ...devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access })),
            ],
        ...(config.cpus === undefined
          ? {}
          : { cpu: { quota: Math.max(1_000, Math.round(config.cpus * CPU_PERIOD)), period: CPU_PERIOD } }),
        ...(config.memory === undefined ? {} : { memory: { limit: config.memory } }),
      },
      sysctl: config.sysctls,
      devices: devices.map(({ access: _, ...device }) => device),
      ...(config.privileged ? {} : { maskedPaths: MASKED, readonlyPaths: READ_ONLY }),
      ...(seccomp === undefined ? {} : { seccomp }),
    },
  };
  return spec;
}

/** Without an entry it has that of whoever makes it. */
function networkOf({ namespace, hostNetwork }: ContainerConfig): readonly { type: string; path: string }[] {
  const name = hostNetwork === undefined ? namespace : hostNetwork.namespace;
  return name === undefined ? [] : [{ type: "network", path: `${NETNS_DIR}/${name}` }];
}

function mounts(privileged: boolean) {
  const access = privileged ? "rw" : "ro";
  const strict = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: strict },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...strict, access] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...strict, "relatime", access] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: strict },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...strict, "mode=1777", "size=65536k"] },
  ];
}

/** `SOURCE:TARGET[:ro|rw]` with absolute paths. @throws YardError `runtime.bad-bind` */
function bindMount(text: string) {
  const [source = "", target = "", mode = "rw", ...rest] = text.split(":");
  if (!source.startsWith("/") || !target.startsWith("/") || !/^(ro|rw)$/.test(mode) || rest.length > 0)
    throw new YardError("runtime.bad-bind", `"${text}" is not /SOURCE:/TARGET[:ro|rw]`);
  return { destination: target, type: "bind", source, options: ["rbind", "rprivate", mode] };
}
