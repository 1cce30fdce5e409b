import type { Counters } from "@switchyard/vswitch";

/** What the yard looks like to people: the store's rows with the references followed. All of it is what `--json` prints. */
export interface YardView {
  readonly yard: string;
  /** Process id of the agent, or null when none runs. */
  readonly agent: number | null;
  /** `system` (the kernel's) or `netdev` (userspace); empty until the agent has found out. */
  readonly datapath: string;
  readonly error: Failure | null;
  readonly labs: readonly LabView[];
  readonly networks: readonly NetworkView[];
  readonly nodes: readonly NodeView[];
  readonly links: readonly LinkView[];
  readonly bridges: readonly BridgeView[];
}

/** A bridge of the kernel's own. */
export interface BridgeView {
  readonly name: string;
  /** Null where it is derived from the name. */
  readonly mac: string | null;
  readonly mode: "none" | "static" | "dnsmasq";
  /** The host's address on it. */
  readonly cidr: string | null;
  /** The first and the last address that are leased. */
  readonly start: string | null;
  readonly end: string | null;
  readonly nat: boolean;
  /** NICs of the host. */
  readonly nics: readonly string[];
  /** Addresses that are leased to one MAC alone. */
  readonly hosts: readonly { readonly ip: string; readonly mac: string }[];
  readonly state: string;
  readonly error: Failure | null;
}

/** A wire between two nics. */
export interface LinkView {
  /** `<node>:<nic>--<node>:<nic>` */
  readonly name: string;
  readonly lab: string | null;
  readonly mtu: number | null;
  readonly impair: ImpairView | null;
}

/** What befalls frames, each way; values as they are written in a lab file, those without effect left out. */
export interface ImpairView {
  /** What does it: the kernel's netem or the yard's relay; null until it is done. */
  readonly by: "netem" | "relay" | null;
  /** From a nic's node, or from the first end of a link. */
  readonly forward: Readonly<Record<string, string>>;
  readonly backward: Readonly<Record<string, string>>;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

export interface LabView {
  readonly name: string;
  /** The lab file; empty when there is none. */
  readonly file: string;
  /** Whether all of it is as declared. */
  readonly state: "up" | "pending" | "failed";
}

export interface NetworkView {
  readonly name: string;
  /** Null when it was added by a command of its own. */
  readonly lab: string | null;
  readonly type: string;
  /** The number of a vlan or vxlan. */
  readonly id: number | null;
  /** Of a vlan: the network, or the bridge of the switch, that it is one VLAN of. */
  readonly master: string | null;
  readonly cidr: readonly string[];
  readonly gateway: readonly string[];
  readonly mtu: number | null;
  readonly bridge: string;
  /** The NIC of the host of a macvlan or passthrough. */
  readonly parent: string | null;
  readonly state: string;
  readonly error: Failure | null;
}

export interface NodeView {
  readonly name: string;
  readonly lab: string | null;
  readonly kind: string;
  /** Of containers. */
  readonly runtime: string | null;
  readonly state: string;
  readonly error: Failure | null;
  readonly pid: number | null;
  readonly exitCode: number | null;
  /** Of a virtual machine: why it has ended, whether it stands still, and what it runs by. */
  readonly reason: string | null;
  readonly paused: boolean;
  /** Whether it is not to run: `stop` says so, and `start` that it is. */
  readonly stopped: boolean;
  readonly accelerator: string | null;
  /** When it came up, in milliseconds since the epoch. */
  readonly since: number | null;
  readonly objId: number;
  /** What `ip netns exec` calls its network namespace. */
  readonly namespace: string;
  readonly image: string | null;
  readonly command: readonly string[];
  readonly ports: readonly string[];
  readonly nics: readonly NicView[];
  /** Of a node of kind a2b. */
  readonly impair: ImpairView | null;
  /** Of a node of kind c2c: where it leads to. */
  readonly to: string | null;
  /** Of a node of kind nat: its subnets. */
  readonly subnets: readonly string[];
  /** And what it has leased; null where that was not asked for. */
  readonly leased: readonly LeasedView[] | null;
}

/** An address that a nat has leased. */
export interface LeasedView {
  readonly address: string;
  /** The node that has it, where that is one of the yard's. */
  readonly node: string | null;
  readonly mac: string | null;
  /** What the client calls itself. */
  readonly name: string | null;
  /** ISO 8601. */
  readonly expires: string;
}

export interface LeaseView {
  readonly address: string;
  readonly server: string | null;
  /** ISO 8601. */
  readonly expires: string;
}

export interface NicView {
  readonly name: string;
  /** Its number in the node, from 0: the last one of its port's name. */
  readonly index: number;
  readonly network: string | null;
  /** The wire that it is an end of. */
  readonly link: string | null;
  readonly mac: string;
  readonly addresses: readonly string[];
  /** The port of the switch, and the bridge that it is on; empty until they are made. */
  readonly port: string;
  readonly bridge: string;
  /** The NIC of the host that it is, or is on. */
  readonly parent: string | null;
  readonly ofport: number | null;
  /** The interface that shows what passes there, in the yard's namespace; null when it is not told to have one. */
  readonly spy: string | null;
  readonly mtu: number | null;
  readonly vlan: number | null;
  readonly trunks: readonly number[];
  /** Whether it is addressed by DHCP, and what it has been granted. */
  readonly dhcp: boolean;
  readonly lease: LeaseView | null;
  /** Whether its port's counters are shown, and what they are, at most five seconds old. */
  readonly monitor: boolean;
  readonly counters: Counters | null;
  /** Its own; that of a link is with the link. */
  readonly impair: ImpairView | null;
  readonly state: string;
  readonly error: Failure | null;
}
