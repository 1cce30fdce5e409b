/** What is made in a switch, what is found there, and how the one is changed into the other. */
import type { Database } from "@switchyard/ovsdb";
import type { OpenVSwitchTables } from "../schema/open_vswitch.gen.ts";

/** The switch's own database, live. */
export type Switch = Database<OpenVSwitchTables>;

export interface BridgeState {
  /** Bridge.datapath_type: `system` or `netdev`. */
  readonly datapath: string;
  /** Bridge.other_config entries that we set. */
  readonly otherConfig: Readonly<Record<string, string>>;
  /**
   * The bridge of a wire: nothing is learnt, and frames pass whatever their tag. With the entry `forward-bpdu: true`
   * of `otherConfig` those of LLDP, LACP and STP pass, too.
   */
  readonly hub: boolean;
  /** Whether it keeps frames from going round by the Rapid Spanning Tree Protocol (IEEE 802.1D-2004). */
  readonly rstp?: true;
  /** What it is for, written to external_ids beside the owner. */
  readonly purpose: string;
}

export interface PortState {
  readonly bridge: string;
  /** Interface.type: `` for a system device. */
  readonly type: string;
  readonly tag: number | undefined;
  /** In ascending order; empty: all. */
  readonly trunks: readonly number[];
  readonly vlanMode: "access" | "trunk" | "native-untagged" | undefined;
  /** Nothing passes between two ports of a bridge that are both protected. */
  readonly protected: boolean;
  /**
   * Whether the queueing discipline of its device is somebody else's business, that of netem say. The switch takes away
   * any other than its own, whenever it looks at its ports, unless it is told by a QoS of type `linux-noop` not to.
   */
  readonly keepsQueue: boolean;
  readonly options: Readonly<Record<string, string>>;
  /** The OpenFlow number that it asks for; undefined: any, or that which somebody else has asked for. */
  readonly number?: number;
  /** Another owner's: nothing of it is ours to say but the bridge that it is on, with its VLANs, and it is never removed. */
  readonly foreign?: true;
  /** What it is for, written to external_ids beside the owner. */
  readonly purpose: string;
}

/** What a port is that is a system device and carries every VLAN. */
export const PLAIN_PORT = {
  type: "",
  tag: undefined,
  trunks: [],
  vlanMode: undefined,
  protected: false,
  keepsQueue: false,
  options: {},
};

/**
 * A spy: a port, on a device of its name, that gets a copy of all that enters and leaves another port of its bridge. With
 * the VLAN settings of that port the copies bear the tags that the frames have there.
 */
export interface MirrorState extends Pick<PortState, "bridge" | "tag" | "trunks" | "vlanMode" | "purpose"> {
  /** The port that is spied on. */
  readonly port: string;
}

/** A port as the switch has it. */
export interface ObservedPort extends PortState {
  /** Its OpenFlow number; undefined when the switch has not got it (yet), or failed to: see `error`. */
  readonly ofport: number | undefined;
  readonly error: string | undefined;
  readonly adminState: "up" | "down" | undefined;
  readonly linkState: "up" | "down" | undefined;
}

/** All that bears one owner's mark. */
export interface SwitchState {
  readonly bridges: ReadonlyMap<string, BridgeState>;
  /** Without the bridges' local ports and those of spies. */
  readonly ports: ReadonlyMap<string, ObservedPort>;
  /** By the name of the spy's port. */
  readonly mirrors: ReadonlyMap<string, MirrorState>;
}

/** What to make, or make so, and what to take away; what is there already is left alone, as is what is gone. */
export interface SwitchChange {
  readonly setBridges?: ReadonlyMap<string, BridgeState>;
  readonly deleteBridges?: readonly string[];
  readonly setPorts?: ReadonlyMap<string, PortState>;
  readonly deletePorts?: readonly string[];
  readonly setMirrors?: ReadonlyMap<string, MirrorState>;
  readonly deleteMirrors?: readonly string[];
}

export interface ApplyOptions {
  /** The value of external_ids:switchyard-owner on all that is ours. */
  readonly owner: string;
  readonly signal?: AbortSignal;
  /** Milliseconds for the database and the switch together; 30,000 by default. */
  readonly timeout?: number;
  /** Whether to wait for the switch; false: what the database has taken is enough, and nothing is looked at. */
  readonly wait?: boolean;
  /**
   * Makes the devices of new ports. It is called as soon as the database has taken the change, and before the switch is
   * waited for.
   */
  readonly devices?: () => Promise<void>;
  /** Whether ports, bridges and spies that the switch could not make are taken out of the database again. */
  readonly withdrawFailed?: boolean;
}

/** What could not be made. The rest of the change stands. */
export interface SwitchFailure {
  readonly kind: "bridge" | "port" | "mirror";
  readonly name: string;
  /** One of `switch.name-taken`, `switch.no-bridge`, `switch.no-port`, `switch.port-failed`, `switch.bridge-failed`. */
  readonly code: string;
  readonly message: string;
  /** Whether nothing of it is left in the database. */
  readonly withdrawn: boolean;
}

export interface SwitchResult {
  /** Whether the database was changed at all. */
  readonly changed: boolean;
  /** The configuration that the switch has taken: Open_vSwitch.cur_cfg. */
  readonly cfg: number;
  readonly failures: readonly SwitchFailure[];
}
