import { readFile } from "node:fs/promises";
import { asYardError, tryRun } from "@switchyard/base";
import { createNamespaces, deleteNamespaces, isRoot, linkSysctl, sinkKind } from "@switchyard/linux";
import { hostUplinks } from "../agent/host-network.ts";
import { neighbourLimit } from "../probe/neighbours.ts";
import type { Examination, Finding, Outcome } from "./finding.ts";
import { examine } from "./finding.ts";

const notRoot: Outcome = { ok: false, found: "not tried: needs root", remedy: "sudo yard doctor", limited: true };

/** What can be seen without changing anything. */
export const hostExaminations: readonly Examination[] = [
  {
    name: "root",
    purpose: "everything that changes the kernel",
    essential: true,
    examine: async () =>
      isRoot()
        ? { ok: true, found: "yes" }
        : { ok: false, found: `user ${process.getuid?.()}`, remedy: "sudo yard doctor" },
  },
  {
    name: "forwarding",
    purpose: "networks of type nat",
    examine: async () => {
      const uplinks = hostUplinks();
      const closed = uplinks.find(({ forwarding }) => !forwarding)?.device;
      if (closed !== undefined)
        return {
          ok: false,
          limited: true,
          found: `the host does not pass on what comes in by ${closed}`,
          remedy: `sysctl -w ${linkSysctl(4, closed, "forwarding")}=1`,
        };
      const names = uplinks.map(({ device }) => device).join(", ");
      return {
        ok: true,
        found: names === "" ? "the host has no default route" : `what comes in by ${names} is passed on`,
      };
    },
  },
  {
    name: "spies",
    purpose: "`yard spy`, `yard capture`",
    examine: async () => {
      if (!isRoot()) return notRoot;
      try {
        return { ok: true, found: `made of ${sinkKind()} links` };
      } catch (error) {
        const found = asYardError(error).message;
        return { ok: false, limited: true, found, remedy: "modprobe dummy numdummies=0" };
      }
    },
  },
  {
    name: "hugepages",
    purpose: "DPDK ports",
    examine: async () => {
      const total = Number(/^HugePages_Total:\s*(\d+)/m.exec(await readFile("/proc/meminfo", "utf8"))?.[1] ?? 0);
      const mounted = / hugetlbfs /.test(await readFile("/proc/mounts", "utf8"));
      if (total > 0 && mounted) return { ok: true, found: `${total} reserved` };
      return {
        ok: false,
        limited: true,
        found: total === 0 ? "none reserved" : "hugetlbfs is not mounted",
        remedy: total === 0 ? "sysctl vm.nr_hugepages=512" : "mount -t hugetlbfs nodev /dev/hugepages",
      };
    },
  },
  {
    name: "neighbours",
    purpose: "labs in which everybody talks with everybody",
    examine: async () => {
      const limit = neighbourLimit();
      if (limit === undefined || limit >= 16_384) return { ok: true, found: `${limit ?? "any number"} at most` };
      return {
        ok: false,
        limited: true,
        found: `${limit} at most in all namespaces together: ${Math.floor(Math.sqrt(limit))} nodes can all talk with each other`,
        remedy: "sysctl net.ipv4.neigh.default.gc_thresh2=32768 net.ipv4.neigh.default.gc_thresh3=65536 (net.ipv6 too)",
      };
    },
  },
  {
    name: "open files",
    purpose: "a thousand nodes on one switch",
    examine: async () => {
      const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(await readFile("/proc/self/limits", "utf8"))?.[1] ?? "0";
      const enough = hard === "unlimited" || Number(hard) >= 16_384;
      return enough
        ? { ok: true, found: `${hard} at most` }
        : {
            ok: false,
            limited: true,
            found: `${hard} at most`,
            remedy: "raise it: ulimit -Hn 65536 (LimitNOFILE= of a service)",
          };
    },
  },
];

/** A kernel feature that is found out by using it in a namespace that is thrown away. */
interface Attempt {
  readonly name: string;
  readonly purpose: string;
  readonly essential?: boolean;
  readonly argv: readonly [string, ...string[]];
  /** Debian's package of the program. */
  readonly from: string;
  readonly works: string;
  readonly lacks: string;
  readonly remedy: string;
}

const attempts: readonly Attempt[] = [
  {
    name: "veth",
    purpose: "the links between nodes and the switch",
    essential: true,
    argv: ["ip", "link", "add", "doctor0", "type", "veth", "peer", "name", "doctor1"],
    from: "iproute2",
    works: "pairs can be made",
    lacks: "the kernel makes no veth pair",
    remedy: "modprobe veth",
  },
  {
    name: "tun",
    purpose: "the userspace datapath, taps of virtual machines",
    argv: ["ip", "tuntap", "add", "dev", "doctor2", "mode", "tap"],
    from: "iproute2",
    works: "taps can be made",
    lacks: "no tap device can be made",
    remedy: "modprobe tun",
  },
  {
    name: "kernel datapath",
    purpose: "the switch at the kernel's speed",
    argv: ["ovs-dpctl", "add-dp", "doctor"],
    from: "openvswitch-switch",
    works: "openvswitch module",
    lacks: "the kernel has no openvswitch module: the userspace datapath is used, with TSO",
    remedy: "modprobe openvswitch (a kernel with CONFIG_OPENVSWITCH)",
  },
  {
    name: "netem",
    purpose: "delay and loss on links",
    argv: ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
    from: "iproute2",
    works: "delay and loss can be made by the kernel",
    lacks: "the kernel has no sch_netem",
    remedy: "modprobe sch_netem",
  },
  {
    name: "nft tables",
    purpose: "address translation of networks",
    argv: ["nft", "add", "table", "inet", "doctor"],
    from: "nftables",
    works: "tables can be made",
    lacks: "the kernel takes no nftables table",
    remedy: "modprobe nf_tables",
  },
];

/** Tries the kernel's features in a namespace of their own, which is removed again whatever happens. */
export async function examineKernel(): Promise<Finding[]> {
  const name = `yard-doctor-${process.pid}`;
  if (!isRoot())
    return Promise.all(
      attempts.map(({ name: feature, purpose }) => examine({ name: feature, purpose, examine: async () => notRoot })),
    );
  const failure = createNamespaces([name])[0];
  const namespaces = await examine({
    name: "namespaces",
    purpose: "every node",
    essential: true,
    examine: async () =>
      failure === undefined
        ? { ok: true, found: "network namespaces can be made" }
        : {
            ok: false,
            found: "no network namespace can be made",
            remedy: "run on the host, or in a container with CAP_SYS_ADMIN",
          },
  });
  if (failure !== undefined) return [namespaces];
  try {
    const tried = await Promise.all(
      attempts.map((attempt) => examine({ ...attempt, examine: () => tryIn(name, attempt) })),
    );
    return [namespaces, ...tried];
  } finally {
    deleteNamespaces([name]);
  }
}

async function tryIn(namespace: string, { argv, from, works, lacks, remedy }: Attempt): Promise<Outcome> {
  const { code, stderr } = await tryRun(["ip", "netns", "exec", namespace, ...argv], { timeout: 10_000 });
  if (code === 0) return { ok: true, found: works };
  const said = stderr.trim().split("\n").at(-1) ?? "";
  // What ip-netns(8) says of a program that there is not.
  if (said.startsWith("exec of ")) {
    const found = `not tried, as ${argv[0]} is not installed`;
    return { ok: false, limited: true, found, remedy: `apt-get install ${from}` };
  }
  return { ok: false, limited: true, found: said === "" ? lacks : `${lacks} (${said})`, remedy };
}
