import { spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";

/** What a test may need of the machine it runs on. */
export type Need =
  | "root"
  | "openvswitch"
  | "docker-engine"
  | "docker-compose"
  | "podman"
  | "containerd"
  | "dpdk"
  | "runc"
  | "conmon"
  | "qemu"
  | "busybox"
  | "debootstrap"
  | "iproute2"
  | "nftables"
  | "dnsmasq"
  | "dhclient"
  | "iperf3"
  | "ping"
  | "tcpdump"
  | "tshark"
  | "mininet"
  | "node"
  | "openssl"
  | "ssh"
  | "wireguard"
  | "fish"
  | "zsh"
  | "python3-openvswitch"
  | "python3-redis"
  | "cni-plugins"
  | "chromium"
  | "frr";

const programs: Readonly<
  Record<
    Exclude<Need, "root" | "dpdk" | "python3-openvswitch" | "python3-redis" | "cni-plugins" | "frr">,
    readonly string[]
  >
> = {
  chromium: ["chromium"],
  openvswitch: ["ovsdb-server", "ovsdb-tool", "ovs-vswitchd"],
  "docker-engine": ["dockerd", "containerd"],
  "docker-compose": ["docker-compose"],
  podman: ["podman", "conmon", "runc"],
  containerd: ["containerd", "ctr", "runc"],
  runc: ["runc"],
  conmon: ["conmon"],
  qemu: ["qemu-system-x86_64", "qemu-img"],
  busybox: ["busybox"],
  debootstrap: ["debootstrap"],
  iproute2: ["ip"],
  nftables: ["nft"],
  dnsmasq: ["dnsmasq"],
  dhclient: ["dhclient"],
  iperf3: ["iperf3"],
  ping: ["ping"],
  tcpdump: ["tcpdump"],
  tshark: ["tshark", "dumpcap"],
  mininet: ["mn"],
  node: ["node"],
  openssl: ["openssl"],
  ssh: ["ssh", "ssh-keygen"],
  wireguard: ["wg", "wireguard-go"],
  fish: ["fish"],
  zsh: ["zsh"],
};

/** Begins the line that says why tests were skipped; `scripts/test.ts` collects these lines. */
export const SKIP_LINE = "skipped here:";

const told = new Set<string>();

/**
 * Whether this machine has all that is needed: `describe.skipIf(!requires("root", "openvswitch"))("…", …)`.
 *
 * @returns false, having said what is missing on standard error, on a developer's machine
 * @throws Error under `CI=true`: there a missing prerequisite is a failure
 */
export function requires(...needs: readonly Need[]): boolean {
  const missing = needs.flatMap((need) => lacks(need) ?? []);
  if (missing.length === 0) return true;
  const reason = `needs ${missing.join(", ")}`;
  if (process.env.CI === "true") throw new Error(`these tests cannot run: ${reason}`);
  if (!told.has(reason)) process.stderr.write(`${SKIP_LINE} ${reason}\n`);
  told.add(reason);
  return false;
}

/** What is missing for `need`, in words; undefined when nothing is. */
function lacks(need: Need): string | undefined {
  switch (need) {
    case "root":
      return isRoot() ? undefined : "root (CAP_SYS_ADMIN)";
    case "python3-openvswitch":
      return pythonHas("ovs.db.idl") ? undefined : "the Debian package python3-openvswitch";
    case "python3-redis":
      return pythonHas("redis") ? undefined : "the Debian package python3-redis";
    case "dpdk":
      return isExecutable("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")
        ? undefined
        : "the Debian package openvswitch-switch-dpdk";
    case "cni-plugins":
      return isExecutable("/usr/lib/cni/host-local") ? undefined : "the Debian package containernetworking-plugins";
    case "frr":
      return isExecutable("/usr/lib/frr/zebra") ? undefined : "the Debian package frr";
    default: {
      const absent = programs[need].filter((program) => !isInstalled(program));
      return absent.length === 0 ? undefined : `the program ${absent.join(", ")}`;
    }
  }
}

function isRoot(): boolean {
  // CAP_SYS_ADMIN is bit 21 (capabilities(7)); uid 0 in a locked-down container is not enough.
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return process.getuid?.() === 0 && (BigInt(`0x${effective}`) & (1n << 21n)) !== 0n;
}

function pythonHas(module: "ovs.db.idl" | "redis"): boolean {
  return spawnSync("/usr/bin/python3", ["-c", `import ${module}`], { stdio: "ignore" }).status === 0;
}

/** Daemons live in `sbin`, which an ordinary user's PATH leaves out. */
function isInstalled(program: string): boolean {
  const folders = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`
    .split(":")
    .filter((folder) => folder !== "");
  return folders.some((folder) => isExecutable(`${folder}/${program}`));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
