import { tryRun, YardError } from "@switchyard/base";
import { isRoot } from "@switchyard/linux";
import { wireguardBy } from "../agent/tunnel.ts";
import type { Examination, Outcome } from "./finding.ts";

/** A program that must be there, with the Debian package that brings it. */
interface Program {
  readonly argv: readonly [string, ...string[]];
  readonly package: string;
}

/** Asks programs for their version; all of them must be there. */
async function versionsOf(...programs: readonly Program[]): Promise<Outcome> {
  const answers = await Promise.all(programs.map((program) => versionOf(program)));
  const missing = answers.flatMap((version, at) => (version === undefined ? (programs[at] ?? []) : []));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => program.package))];
    return {
      ok: false,
      found: `${missing.map(({ argv }) => argv[0]).join(", ")} not installed`,
      remedy: `apt-get install ${packages.join(" ")}`,
    };
  }
  return { ok: true, found: answers.join(", ") };
}

/** `<program> <version>`; undefined when it is not installed. */
async function versionOf({ argv }: Program): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await tryRun(argv, { timeout: 5_000 });
    const number = /\d+\.\d[\w.~+-]*/.exec(stdout || stderr)?.[0] ?? "";
    return `${argv[0]} ${number}`.trimEnd();
  } catch (error) {
    if (error instanceof YardError && error.code === "command.not-found") return undefined;
    throw error;
  }
}

/** The programs that Switchyard calls. */
export const programExaminations: readonly Examination[] = [
  {
    name: "openvswitch",
    purpose: "the switch of every yard",
    essential: true,
    examine: () =>
      versionsOf(
        { argv: ["ovs-vswitchd", "--version"], package: "openvswitch-switch" },
        { argv: ["ovsdb-server", "--version"], package: "openvswitch-switch" },
        { argv: ["ovsdb-tool", "--version"], package: "openvswitch-common" },
      ),
  },
  {
    name: "iproute2",
    purpose: "links and namespaces",
    essential: true,
    examine: () => versionsOf({ argv: ["ip", "-V"], package: "iproute2" }),
  },
  {
    name: "nftables",
    purpose: "address translation of networks",
    examine: () => versionsOf({ argv: ["nft", "--version"], package: "nftables" }),
  },
  {
    name: "dnsmasq",
    purpose: "DHCP and names on networks",
    examine: () => versionsOf({ argv: ["dnsmasq", "--version"], package: "dnsmasq-base" }),
  },
  {
    name: "busybox",
    purpose: "nics that get their addresses by DHCP",
    examine: () => versionsOf({ argv: ["busybox"], package: "busybox-static" }),
  },
  {
    name: "qemu",
    purpose: "virtual machines",
    examine: () =>
      versionsOf(
        { argv: ["qemu-system-x86_64", "--version"], package: "qemu-system-x86" },
        { argv: ["qemu-img", "--version"], package: "qemu-utils" },
      ),
  },
  {
    name: "ssh",
    purpose: "virtual machines without guest agent",
    examine: () => versionsOf({ argv: ["ssh", "-V"], package: "openssh-client" }),
  },
  {
    name: "wireguard",
    purpose: "encrypted links to other hosts",
    examine: async () => {
      const tools = { argv: ["wg", "--version"], package: "wireguard-tools" } as const;
      if (isRoot() && wireguardBy() === "kernel") return versionsOf(tools);
      return versionsOf(tools, { argv: ["wireguard-go", "--version"], package: "wireguard-go" });
    },
  },
  {
    name: "genisoimage",
    purpose: "what cloud-init is told in virtual machines",
    examine: () => versionsOf({ argv: ["genisoimage", "--version"], package: "genisoimage" }),
  },
  {
    name: "tcpdump",
    purpose: "`yard capture`",
    examine: () =>
      versionsOf(
        { argv: ["tcpdump", "--version"], package: "tcpdump" },
        { argv: ["setpriv", "--version"], package: "util-linux" },
      ),
  },
  {
    name: "iperf3",
    purpose: "`yard iperf`",
    examine: () => versionsOf({ argv: ["iperf3", "--version"], package: "iperf3" }),
  },
];
