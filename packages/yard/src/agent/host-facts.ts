import type { Cidr } from "@switchyard/base";
import type { Lease } from "./leases.ts";
import type { PeerWord } from "./peers.ts";

/** An address of the host's own. */
export interface HostAddress {
  readonly device: string;
  readonly address: Cidr;
  /** The link bears this yard's mark, be it one that is to go. */
  readonly ours: boolean;
}

/** A link that a default route of the host leaves by. */
export interface Uplink {
  readonly device: string;
  /** Whether the kernel passes on what comes in there: `net.ipv4.conf.<device>.forwarding`. */
  readonly forwarding: boolean;
}

/** What of a host and its yard the desired state hangs on. */
export interface HostFacts {
  readonly yard: string;
  /** The name of this host's row: only its nodes are made here. */
  readonly host: string;
  /** Bridge.datapath_type of the switch: `netdev`, or `system` where the kernel's datapath works. */
  readonly datapath: string;
  /** Whether the switch finishes what nics leave to it, see {@link VethState}. */
  readonly offloads: boolean;
  /** The switch's bridges, made by whomever, that packets reach a tunnel from. */
  readonly tunnels: ReadonlySet<string>;
  /** Whether the kernel has netem. */
  readonly netem: boolean;
  /** Of the host's own links, and by which of them it reaches the world. */
  readonly addresses: readonly HostAddress[];
  readonly uplinks: readonly Uplink[];
  /** Of the bridges that networks name, those that are the kernel's own, made by somebody else. */
  readonly kernelBridges: ReadonlySet<string>;
  /** What nics have been granted by DHCP, by their client's id. */
  readonly leases: ReadonlyMap<string, Lease>;
  /** What the yards of this host tell of their nodes of kind c2c. */
  readonly peers: ReadonlyMap<string, PeerWord>;
  /** The names of the links in the switch's namespace, where the yard has nodes of kind c2c. */
  readonly ownLinks: ReadonlySet<string>;
  /** Who makes WireGuard devices here. */
  readonly wireguard: "kernel" | "go";
  /** The ports of guests' nics that are there already, with the OpenFlow numbers that they ask for. */
  readonly foreign: ReadonlyMap<string, number | undefined>;
  /** The ports that somebody captures from at present. */
  readonly captured: ReadonlySet<string>;
  /** The yard's folder of runtime files, absolute. */
  readonly run: string;
  /** That of what it keeps over a reboot. */
  readonly state: string;
  /** How to start ourselves: the argv that `relay <file>` is put behind. */
  readonly executable: readonly string[];
}
