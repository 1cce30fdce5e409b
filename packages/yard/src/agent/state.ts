/**
 * What a yard's host is like, as far as the agent makes it. The desired state (derived from the store) and the actual
 * one (observed) have this one shape, so that the plan is their difference and a model of applying it is a few lines.
 *
 * Only what is ours is ever in a State: the observer leaves out what bears no mark of this yard, and the plan knows
 * nothing else.
 */
import type { ContainerConfig, VmConfig, VmNic } from "@switchyard/runtime";
import type { BridgeState, MirrorState, PortState } from "@switchyard/vswitch";
import type { ContainerRuntime } from "../model/types.ts";

/** The switch's own; `purpose` is a text of subject.ts, and not compared. */
export type { BridgeState, MirrorState, PortState };

export interface State {
  /** By name, `_b_<lan>`, `_w_<obj_id>_<n>`. */
  readonly bridges: ReadonlyMap<string, BridgeState>;
  /** By name, `_k_<obj_id>_<n>`. */
  readonly ports: ReadonlyMap<string, PortState>;
  /** By the name of the spy, `s_k_<obj_id>_<n>`: ports that get a copy of what passes another one. */
  readonly mirrors: ReadonlyMap<string, MirrorState>;
  /** By name: the devices of the spies, in the yard's namespace. */
  readonly sinks: ReadonlyMap<string, SinkState>;
  /** By name in `/run/netns`: the nodes' namespaces. */
  readonly namespaces: ReadonlyMap<string, NamespaceState>;
  /** By the name of the end in the yard's namespace, which is the port's name. */
  readonly veths: ReadonlyMap<string, VethState>;
  /** By the name of the near end: devices in the switch's namespace that impair what passes between them. */
  readonly pipes: ReadonlyMap<string, PipeState>;
  /** By the name that their port has, or would have: nics that are no ports of the switch, and the devices of phys. */
  readonly links: ReadonlyMap<string, LinkState>;
  /** By name, `vtep<id>` or that of a nic's port: VXLAN devices of the kernel's own, in the switch's namespace. */
  readonly vteps: ReadonlyMap<string, VtepState>;
  /** By name: the own devices of bridges, there too, that these send by. */
  readonly underlays: ReadonlyMap<string, UnderlayState>;
  /** By node name. */
  readonly containers: ReadonlyMap<string, ContainerNodeState>;
  /** By name, which is its port's where it has one: the tap devices of virtual machines. */
  readonly taps: ReadonlyMap<string, TapState>;
  /** By node name. */
  readonly machines: ReadonlyMap<string, MachineState>;
  /** By node and network: what the nodes' zerotier-one are members of. */
  readonly memberships: ReadonlyMap<string, MembershipState>;
  /** By id: supervised processes of ours that outlive the agent. */
  readonly services: ReadonlyMap<string, ServiceState>;
  /** By the name of the link in the host's namespace behind which addresses are hidden: a gateway's, or a bridge's. */
  readonly nats: ReadonlyMap<string, NatState>;
  /** By name: bridges of the kernel's own, in the host's namespace. */
  readonly hostBridges: ReadonlyMap<string, HostBridgeState>;
  /** By name: NICs of the host that we have made members of bridges of the kernel's own. */
  readonly members: ReadonlyMap<string, MemberState>;
  /** By absolute path: hosts and resolv.conf files, configurations of services. */
  readonly files: ReadonlyMap<string, FileState>;
  /** By node name: its commands that have been run in its present life. */
  readonly exec: ReadonlyMap<string, ExecState>;
}

/** A namespace of a node. `routes` and `sysctls` are ours only, not all that are in it. */
export interface NamespaceState {
  readonly node: string;
  /** Canonical texts, see route.ts: `<to> [via <ip>] [dev <name>] [metric <n>]`, sorted. */
  readonly routes: readonly string[];
  /**
   * By name, `net.ipv4.ip_forward`. The actual state holds those names that the desired one asks for; what is asked for
   * no longer keeps its value (there is no default to go back to).
   */
  readonly sysctls: Readonly<Record<string, string>>;
  /**
   * The node whose running container made this namespace (docker); undefined: made by us. Observed: set only while the
   * name in `/run/netns` stands for the namespace of the running container; after a restart by the engine the name
   * stands for a dead one, and this is undefined.
   */
  readonly container: string | undefined;
}

/** A veth whose far end is the nic of a node, or the gateway of a network. */
export interface VethState {
  /** The name of the namespace of the far end, or {@link HOST} for the host's own. */
  readonly namespace: string;
  /** The far end's name. */
  readonly name: string;
  /** Of the far end, lower case; empty: the kernel's choice, not compared. */
  readonly mac: string;
  /** Bytes, of both ends. */
  readonly mtu: number;
  /** Both ends are up. */
  readonly up: boolean;
  /**
   * The far end leaves checksums and segmentation to the switch, as a veth does unless it is told not to. Desired false
   * where the switch would pass on what is unfinished; desired true leaves the far end as its owner has it, who may
   * want whole packets in a capture.
   */
  readonly offloads: boolean;
  /** Ours, of the far end, in canonical form, sorted. */
  readonly addresses: readonly string[];
  /** What it is for (see subject.ts), in the alias of the near end behind the owner's mark. Not compared. */
  readonly purpose: string;
}

/** How a nic comes about that is no port of the switch. */
export type LinkMaking =
  /** A veth whose other end is a member of a bridge of the kernel's own, on the host. */
  | { readonly kind: "bridged"; readonly bridge: string }
  /** A second MAC on a NIC of the host's. */
  | { readonly kind: "macvlan"; readonly parent: string }
  /** A NIC of the host's, by the name that it has there. */
  | { readonly kind: "passthrough"; readonly parent: string };

/** A nic that is no port of the switch. */
export interface LinkState {
  readonly making: LinkMaking;
  /** Of the node, or the switch; observed: {@link HOST} for a NIC that came back by itself when its namespace died. */
  readonly namespace: string;
  readonly name: string;
  /** Lower case; empty: that which a NIC of the host's has itself. */
  readonly mac: string;
  /** Bytes; 0: the kernel's choice, or that which a NIC of the host's has itself. */
  readonly mtu: number;
  readonly up: boolean;
  /** Ours, in canonical form, sorted. */
  readonly addresses: readonly string[];
  /** What it is for (see subject.ts). Not compared. */
  readonly purpose: string;
}

/**
 * Two devices: what the switch sends out by one comes in by the other, impaired. Either the two ends of a veth with
 * netem on both, or two tap devices with the relay of impairments between them.
 */
export interface PipeState {
  /** The name of the far end. */
  readonly far: string;
  readonly by: "netem" | "relay";
  /** Bytes, of both ends. */
  readonly mtu: number;
  /** Both ends are up. */
  readonly up: boolean;
  /**
   * What netem is told of each way, see impair/netem.ts; empty where the relay does it, whose file says the same.
   * Observed: what is desired where it has been told that, else empty.
   */
  readonly forward: string;
  readonly backward: string;
  /** What it is for (see subject.ts), in the alias of the near end. Not compared. */
  readonly purpose: string;
}

/** A device that swallows what is sent to it. */
export interface SinkState {
  readonly up: boolean;
  /** What it is for (see subject.ts), in its alias behind the owner's mark. Not compared. */
  readonly purpose: string;
}

/** A VXLAN device of the kernel's own, over a multicast group that follows from its number or to one other end. */
export interface VtepState {
  /** The address of the other end; empty: the group. */
  readonly remote: string;
  /** The link that it sends by. Observed: empty where it cannot go on as it is. */
  readonly lower: string;
  readonly id: number;
  /** UDP. */
  readonly port: number;
  readonly mtu: number;
  readonly up: boolean;
  /** What it is for (see subject.ts), in its alias. Not compared. */
  readonly purpose: string;
}

export interface UnderlayState {
  /** Ours, in canonical form, sorted. */
  readonly addresses: readonly string[];
  readonly up: boolean;
  /** What it is for (see subject.ts); empty in an observed state. Not compared. */
  readonly purpose: string;
}

/** Stands for the host's own namespace in {@link VethState}: no namespace of a node can have this name. */
export const HOST = "host";

/**
 * Stands for wherever an engine has moved the far end to, in {@link VethState}: it is made in the host's own namespace,
 * and whoever takes it away also decides about its name, its addresses and whether it is up.
 */
export const ELSEWHERE = "elsewhere";

export interface ContainerNodeState {
  readonly runtime: ContainerRuntime;
  readonly engine: string | undefined;
  /** Hash of all that can only be changed by making it anew; also a label of the container. */
  readonly fingerprint: string;
  /** `created`: made but never started. `exited`: its first process has ended; desired: it is not to run. */
  readonly status: "created" | "running" | "exited";
  /** Milliseconds that it has for ending, where it is not to run. Not compared. */
  readonly grace?: number;
  /** Its name in `/run/netns`. */
  readonly namespace: string;
  /** What to make it from; undefined in an observed state, where the fingerprint stands for it. Not compared. */
  readonly config: ContainerConfig | undefined;
}

/** Where the device of a virtual machine's nic is. */
export type TapPlace =
  /** In the switch's namespace, whose port it is. */
  | { readonly kind: "port" }
  /** In the host's own, a member of a bridge of the kernel's own. */
  | { readonly kind: "bridged"; readonly bridge: string }
  /** In the host's own: a macvtap, a second MAC on a NIC of the host's. */
  | { readonly kind: "macvtap"; readonly parent: string };

/** A tap device, or macvtap, whose far end is a nic of a virtual machine. */
export interface TapState {
  readonly place: TapPlace;
  /** Of a macvtap, which passes on what is for that; else empty, and not compared. */
  readonly mac: string;
  /** Bytes; 0: the kernel's choice, not compared. */
  readonly mtu: number;
  readonly up: boolean;
  /** What it is for (see subject.ts), in the alias behind the owner's mark. Not compared. */
  readonly purpose: string;
}

/** A virtual machine. */
export interface MachineState {
  /** Hash of all that can only be changed by making it anew: not of its nics. Also a label of it. */
  readonly fingerprint: string;
  /** `created`: made but never started. `exited`: its QEMU has ended; desired: it is not to run. */
  readonly status: "created" | "running" | "exited";
  /** Milliseconds between its power button and its end, where it is not to run. Not compared. */
  readonly grace?: number;
  /** Those plugged in, by index. */
  readonly nics: readonly VmNic[];
  /** What to make it from, with its nics; undefined in an observed state. Not compared. */
  readonly config: VmConfig | undefined;
}

export interface MembershipState {
  /** The namespace and home of the process. */
  readonly namespace: string;
  readonly home: string;
  readonly nwid: string;
  /** What it is for (see subject.ts); empty in an observed state. Not compared. */
  readonly purpose: string;
}

export interface ServiceState {
  readonly argv: readonly string[];
  readonly running: boolean;
  /** The node's namespace that it lives in; undefined: the host's. Observed: empty where that namespace has gone. */
  readonly namespace: string | undefined;
  /** The program behind what it is called by, which must be installed. Not compared. */
  readonly program?: string;
  /** A folder that it keeps, private to root, and the file of the identity that it shall have there. Not compared. */
  readonly home?: { readonly folder: string; readonly identity: string | undefined };
  /** What it is for (see subject.ts); empty in an observed state. Not compared. */
  readonly purpose: string;
}

/** What the host does with packets of a link: source NAT for what leaves it from there, and isolation. */
export interface NatState {
  /** Of either family, sorted; none where somebody has changed the rules. */
  readonly subnets: readonly string[];
  /**
   * The kernel passes on what comes in by that link, of the families of the subnets. A new link does as the host does by
   * default; desired false leaves it so.
   */
  readonly forwarding: boolean;
  /** Nothing is routed to it from the bridges that yards have made. */
  readonly apart: boolean;
  /** What it is for (see subject.ts); empty in an observed state. Not compared. */
  readonly purpose: string;
}

/** A bridge of the kernel's own. */
export interface HostBridgeState {
  readonly mac: string;
  readonly up: boolean;
  /** By which the rules of {@link NatState} know it. */
  readonly group: number;
  /** Ours, in canonical form, sorted. */
  readonly addresses: readonly string[];
  /** What it is for (see subject.ts), in its alias. Not compared. */
  readonly purpose: string;
}

/** A NIC of the host in a bridge; the mark of ours is before its own alias as long as it is there. */
export interface MemberState {
  /** Observed: empty when it bears our mark and is in none. */
  readonly bridge: string;
  /** What it is for (see subject.ts). Not compared. */
  readonly purpose: string;
}

/** A file with its whole text (0644), or a symbolic link. */
export type FileState = (
  | {
      readonly type: "text";
      readonly text: string;
      /** Containers bind it: it is written in place, as its inode must stay. Others are replaced. Not compared. */
      readonly bound: boolean;
      /** Written only once the links are there that it tells of. Not compared. */
      readonly late?: true;
    }
  | { readonly type: "symlink"; readonly target: string }
) & {
  /** What it is for (see subject.ts); empty in an observed state. Not compared. */
  readonly purpose: string;
};

/**
 * A node's commands. They are run once in each life of the node: of its namespace, or of its container's first process
 * where it has one. The observer ties its mark to that life and leaves the node out when it has begun another.
 */
export interface ExecState {
  /** Of the commands and their environment. */
  readonly hash: string;
  /** One of them failed; the rest was not run. They are tried again only when the caller revives. */
  readonly failed: boolean;
  /** What to run; empty in an observed state. Not compared. */
  readonly commands: readonly (readonly string[])[];
  readonly env: Readonly<Record<string, string>>;
  readonly namespace: string;
}

/** A host on which we have made nothing. */
export const EMPTY: State = {
  bridges: new Map(),
  ports: new Map(),
  mirrors: new Map(),
  sinks: new Map(),
  namespaces: new Map(),
  veths: new Map(),
  pipes: new Map(),
  links: new Map(),
  vteps: new Map(),
  underlays: new Map(),
  containers: new Map(),
  taps: new Map(),
  machines: new Map(),
  memberships: new Map(),
  services: new Map(),
  nats: new Map(),
  hostBridges: new Map(),
  members: new Map(),
  files: new Map(),
  exec: new Map(),
};
