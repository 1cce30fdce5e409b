/**
 * The one model: what a door produces and the store holds. Everything here is checked and expanded: names obey their
 * grammar, `count` is unrolled, defaults are merged, shorthands are spelled out, paths are absolute.
 */
import type { Cidr, Ip, Mac } from "@switchyard/base";

/** A lab as its file declares it. */
export interface Lab {
  readonly name: string;
  /** The lab file, absolute; empty when it came from elsewhere. */
  readonly file: string;
  /** In file order. */
  readonly networks: readonly NetworkSpec[];
  readonly nodes: readonly NodeSpec[];
  readonly links: readonly LinkSpec[];
  readonly checks: readonly CheckSpec[];
}

/** How a network is made: its type and the keys that only that type has. */
export type NetworkMaking =
  /** A bridge of its own. */
  | {
      readonly type: "lan";
      /** Whether it may be part of a ring: it speaks the Rapid Spanning Tree Protocol. */
      readonly rstp?: true;
    }
  /** As `lan`, with the host as its way out: what leaves by there has the host's address. */
  | { readonly type: "nat" }
  /** A bridge that somebody else made, of the switch or the kernel's own, or that the yard made by command. */
  | {
      readonly type: "bridge";
      readonly bridge: string;
      /** Those that the own device of a bridge of the switch has from us. */
      readonly addresses?: readonly Cidr[];
    }
  /** The segment behind a NIC of the host's, on which each nic has a MAC of its own beside the NIC's. */
  | { readonly type: "macvlan"; readonly parent: string }
  /** A network of ZeroTier, of which nodes become members. */
  | { readonly type: "zerotier"; readonly nwid: string }
  /** A NIC of the host's itself, which becomes the only nic that is on it. */
  | { readonly type: "passthrough"; readonly parent: string }
  | {
      /** One VLAN of a master bridge, untagged on a bridge of its own, which a pair of patch ports joins to the master. */
      readonly type: "vlan";
      /** 0 to 4094; 0: the frames that bear no tag on the master. */
      readonly id: number;
      /** Another network of the yard, or else a bridge that the switch has. */
      readonly master: string;
      /** Undefined: `vlbr<id>`. */
      readonly bridge: string | undefined;
    }
  | {
      /** A bridge that reaches the same VXLAN on other hosts (RFC 7348). */
      readonly type: "vxlan";
      /** 1 to 2^24 - 1. */
      readonly id: number;
      /** The other hosts' addresses, without repetition: each has a tunnel of the switch's own. Empty: by `master`. */
      readonly peers: readonly Ip[];
      /** UDP. */
      readonly port: number;
      /** Without peers, what a device of the kernel's own sends by to a multicast group: a network, or a bridge that is there. */
      readonly master: string | undefined;
      /** The host's own address on the master. */
      readonly address: Cidr | undefined;
      /** Undefined: `vxlbr<id>`. */
      readonly bridge: string | undefined;
    };
export type NetworkType = NetworkMaking["type"];

/** A layer-2 segment. */
export type NetworkSpec = NetworkCommon & NetworkMaking;

interface NetworkCommon {
  readonly name: string;
  /** The subnets that addresses of its nics are taken from, at most one a family; the host bits are zero. */
  readonly cidr: readonly Cidr[];
  /** Addresses of the segment on the host, each within a `cidr`: the host reaches the lan, nics route through it. */
  readonly gateway: readonly Ip[];
  /** Bytes; undefined is the kernel's 1500. */
  readonly mtu: number | undefined;
}

export type NodeKind = "netns" | "container" | "vm" | "a2b" | "tap" | "nat" | "c2c" | "phy";
export type ContainerRuntime = "docker" | "podman" | "oci";
export type PullPolicy = "missing" | "always" | "never";

interface NodeCommon {
  readonly name: string;
  /** In order: nic n is port `_k_<obj_id>_<n>`. Those of links follow those of networks unless the file names them. */
  readonly nics: readonly NicSpec[];
  readonly routes: readonly RouteSpec[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** Published ports of the host. */
  readonly ports: readonly PortForward[];
  /** Commands run in the node once it is up, each an argument vector; a failing one is the node's error. */
  readonly exec: readonly (readonly string[])[];
}

/** A bare network namespace. */
export interface NetnsSpec extends NodeCommon {
  readonly kind: "netns";
}

/** A container of one of the engines. */
export interface ContainerSpec extends NodeCommon {
  readonly kind: "container";
  readonly runtime: ContainerRuntime;
  /** An image name, or for the oci runtime also the name of a root made on demand (`busybox`). */
  readonly image: string | undefined;
  /** A folder used as root file system instead of an image; absolute. */
  readonly rootfs: string | undefined;
  readonly pull: PullPolicy;
  readonly command: readonly string[];
  readonly entrypoint: readonly string[] | undefined;
  readonly user: string | undefined;
  readonly hostname: string | undefined;
  readonly privileged: boolean;
  /** It has the network of the yard's switch, not one of its own; then it has no nics. */
  readonly hostNetwork: boolean;
  readonly capAdd: readonly string[];
  readonly devices: readonly string[];
  /** `source:target[:ro|rw]`, source absolute. */
  readonly binds: readonly string[];
  /** Processors, fractions allowed; undefined is no limit. */
  readonly cpus: number | undefined;
  /** Bytes; undefined is no limit. */
  readonly memory: number | undefined;
  /** The engine's address as the caller had it (`DOCKER_HOST`, `CONTAINER_HOST`); undefined is the engine's default. */
  readonly engine: string | undefined;
}

/**
 * A container that another program runs: it takes the nics that we make, moves them into it and gives them their
 * addresses. No lab file declares one; the network driver for Docker does.
 */
export interface GuestSpec extends NodeCommon {
  readonly kind: "guest";
  readonly runtime: ContainerRuntime;
  /** The engine's address; undefined is the engine's default. */
  readonly engine: string | undefined;
  /** The engine's id of the container; undefined until it has told it. */
  readonly container: string | undefined;
  /**
   * The ports of its nics on the switch, by their index, where whoever runs the container makes them: they are looked
   * at, and impaired, but never made. Empty: they are ours.
   */
  readonly plugs: readonly string[];
}

/** A virtual machine. It has no namespace: of the common parts `sysctls`, `env` and `exec` are empty. */
export interface VmSpec extends NodeCommon {
  readonly kind: "vm";
  /** In order: `vda` is the first. */
  readonly disks: readonly DiskSpec[];
  /** Optical media; absolute paths. */
  readonly isos: readonly string[];
  readonly kernel: KernelSpec | undefined;
  /** Bytes, whole MiB. */
  readonly memory: number;
  readonly cpus: number;
  /** Undefined: it has no volume for cloud-init. */
  readonly cloudInit: CloudInitSpec | undefined;
  /** Whether it has a channel to a guest agent. */
  readonly guestAgent: boolean;
  /** How it is entered by ssh, as far as that is known. */
  readonly ssh: SshSpec | undefined;
  /** Whether a reboot by the guest ends it. */
  readonly rebootEnds: boolean;
  /** How many nics it can come to have while it runs. */
  readonly maxNics: number;
}

/** How a machine's ssh server lets one in. */
export interface SshSpec {
  readonly user: string;
  /** The private key, an absolute path; undefined: ssh looks for one. */
  readonly key: string | undefined;
  /** TCP. */
  readonly port: number;
}

/** An image as a disk. */
export interface DiskSpec {
  /** Absolute. */
  readonly file: string;
  readonly format: "qcow2" | "raw";
  /** Whether the machine writes into the image itself, and not into an overlay that goes with it. */
  readonly persistent: boolean;
}

/** A kernel booted without boot loader; absolute paths. */
export interface KernelSpec {
  readonly image: string;
  readonly initrd: string | undefined;
  readonly append: string | undefined;
}

/** What cloud-init is told beside what follows from the node. */
export interface CloudInitSpec {
  readonly userData: string;
  /** Keys of meta-data beside or in place of ours. */
  readonly metaData: Readonly<Record<string, string>>;
  /** `nics`: made of the node's nics; a text is given as it is. */
  readonly network: "nics" | "none" | { readonly text: string };
}

/** Two nics; what goes into one comes out of the other, impaired. `forward` is from the first to the second. */
export interface A2bSpec extends NodeCommon {
  readonly kind: "a2b";
  readonly impair: ImpairSpec | undefined;
}

/** An interface of the host's own, whose name is that of the one nic. */
export interface TapSpec extends NodeCommon {
  readonly kind: "tap";
}

/** The host as the way out of a lan: it has the first address there, leases others, and lends its own to what leaves. */
export interface NatSpec extends NodeCommon {
  readonly kind: "nat";
  /** One of a family at most; the host bits are zero. Of IPv6 it is a /64. */
  readonly cidr: readonly Cidr[];
}

/** One nic, whose other end is that of a node of kind `c2c` in another yard. */
export interface C2cSpec extends NodeCommon {
  readonly kind: "c2c";
  readonly to:
    | { readonly type: "yard"; readonly yard: string; readonly node: string }
    /** A yard of another host; the VNI is 1 to 2^24 - 1, `port` UDP. */
    | {
        readonly type: "vxlan";
        readonly peer: Ip;
        readonly id: number;
        readonly port: number;
        /** In WireGuard: the other yard's public key, and the UDP port of it at both ends. */
        readonly encrypt: { readonly key: string; readonly port: number } | undefined;
      };
}

/** A NIC of the host's as a port of the network that its one nic is on. */
export interface PhySpec extends NodeCommon {
  readonly kind: "phy";
  /** By the name that it has on the host. */
  readonly parent: string;
  /** `absorb`: the NIC itself, which the host has back in the end; `macvlan`: a second MAC on it. */
  readonly mode: PhyMode;
}
export type PhyMode = "absorb" | "macvlan";

/** Nodes that nothing runs in: no namespace, addresses or commands but a tap's; the other common parts are empty. */
export type JointSpec = A2bSpec | TapSpec | NatSpec | C2cSpec | PhySpec;

export type NodeSpec = NetnsSpec | ContainerSpec | GuestSpec | VmSpec | JointSpec;

/** One interface of a node. Exactly one of `network` and `link` is given. */
export interface NicSpec {
  /** Its name inside the node, `eth0` by default. */
  readonly name: string;
  readonly network: string | undefined;
  /** The name of the link it is an end of. */
  readonly link: string | undefined;
  /** Undefined: derived from the node's obj_id, or from the slot. */
  readonly mac: Mac | undefined;
  /** Undefined: taken from the network's `cidr` by slot or by the allocator; empty: none. */
  readonly ip: readonly Cidr[] | undefined;
  /** A small number that fixes MAC and IP within the network's cidr. */
  readonly slot: number | undefined;
  /** Next hops of the default route, at most one a family; undefined: the network's; empty: none. */
  readonly gateway: readonly Ip[] | undefined;
  readonly dns: readonly Ip[];
  /** Its IPv4 address, gateway and name servers come from a DHCP server; what is given here wins. */
  readonly dhcp: boolean;
  readonly mtu: number | undefined;
  /** Access VLAN, 1..4094. With `trunks` too it is the native VLAN. */
  readonly vlan: number | undefined;
  readonly trunks: readonly number[];
  readonly routes: readonly RouteSpec[];
  readonly spy: boolean;
  /** Its port's counters are shown with it. */
  readonly monitor: boolean;
  /** On a network of ZeroTier: the file with the node's identity there, absolute; undefined: one is made. */
  readonly identity: string | undefined;
  /** `forward` is from the node, `backward` to it. */
  readonly impair: ImpairSpec | undefined;
}

/** What befalls frames that go one way. Zero is none of it. */
export interface Impairment {
  /** Microseconds, 0 to 60,000,000. */
  readonly delay: number;
  /** By how much the delay varies both ways, evenly; microseconds, at most `delay`. */
  readonly jitter: number;
  /** Percent that a delay is like the one before it. */
  readonly correlation: number;
  /** Percent of frames; so are the following three. */
  readonly loss: number;
  readonly duplicate: number;
  /** That go ahead of those which are delayed. */
  readonly reorder: number;
  /** That have one bit turned over. */
  readonly corrupt: number;
  /** Bits a second, of whole frames without their check sum; undefined: as fast as can be. */
  readonly rate: number | undefined;
  /** How much may be under way or wait; undefined: what delay and rate make sensible. */
  readonly queue: { readonly unit: "frames" | "bytes"; readonly amount: number } | undefined;
}

/** Of both directions, each on its own; at least one of them is not without any. */
export interface ImpairSpec {
  readonly forward: Impairment;
  readonly backward: Impairment;
}

/** A route of a node; of a nic, `dev` is that nic. */
export interface RouteSpec {
  /** A network or `default`. */
  readonly to: Cidr | "default";
  readonly via: Ip | undefined;
  readonly dev: string | undefined;
  readonly metric: number | undefined;
}

/** A wire between two nics: every frame passes, link-local ones too. */
export interface LinkSpec {
  /** `<node>:<nic>--<node>:<nic>` in file order. */
  readonly name: string;
  readonly endpoints: readonly [LinkEnd, LinkEnd];
  readonly mtu: number | undefined;
  /** `forward` is from the first end to the second. */
  readonly impair: ImpairSpec | undefined;
}
export interface LinkEnd {
  readonly node: string;
  readonly nic: string;
}

/** A published port. */
export interface PortForward {
  /** Of a nat's: the address, or the node, that it leads to; otherwise that is the node that publishes it. */
  readonly target?: string;
  /** The host's address; undefined is every address. */
  readonly address: Ip | undefined;
  readonly hostPort: number;
  readonly nodePort: number;
  readonly protocol: "tcp" | "udp";
}

/** What must be so once the lab is up. */
export type CheckSpec = (
  | { readonly type: "ping"; readonly from: string; readonly to: string }
  | { readonly type: "tcp"; readonly from: string; readonly to: string; readonly port: number }
  | { readonly type: "exec"; readonly node: string; readonly command: readonly string[] }
) & {
  readonly expect: "pass" | "fail";
  /** For people. */
  readonly name: string;
  /** Milliseconds. */
  readonly timeout: number;
};
