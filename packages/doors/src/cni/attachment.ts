/** What a nic on a switch shall be, whatever dialect asked for it. */
import type { Mac } from "@switchyard/base";
import type { Bandwidth } from "./bandwidth.ts";
import type { Handover } from "./handover.ts";
import type { PodRef } from "./kubernetes.ts";

/** Which switch: that of a yard (`system` is the host's own), or the database at a remote, its devices being here. */
export type SwitchChoice = { readonly yard: string } | { readonly remote: string };

export type VlanMode = "access" | "trunk" | "native-tagged" | "native-untagged" | "dot1q-tunnel";

/** Columns of Port (ovs-vswitchd.conf.db(5)). */
export interface Vlan {
  readonly tag: number | undefined;
  /** In ascending order, each once; empty: all. */
  readonly trunks: readonly number[];
  /** The inner VLANs that pass a dot1q-tunnel; empty: all. */
  readonly cvlans: readonly number[];
  readonly mode: VlanMode | undefined;
}

/** A socket for a virtio device in the container (ovs-vswitchd.conf.db(5), types dpdkvhostuserclient and dpdkvhostuser). */
export interface VhostUser {
  /** `client`: the container makes the socket, and the switch connects to it. */
  readonly mode: "client" | "server";
  readonly folder: string;
  /** The socket's name in the folder; undefined: the port's. */
  readonly name: string | undefined;
  /** Of the folder, and of a socket that the switch makes, by name or number. */
  readonly group: string | undefined;
  /** Of the folder; of a socket that the switch makes the same without the right to enter. */
  readonly permissions: number;
  /** Where the runtime wants to be told of the device (Network Plumbing Group's device information specification). */
  readonly deviceInfo: string | undefined;
  /** What files tell the container's side; undefined: nothing does. */
  readonly handover: Handover | undefined;
}

/** A device of the host's that the container gets. */
export interface DeviceWay {
  /** Its PCI address. */
  readonly id: string;
  /** The character device by which a virtual machine has it (vhost-vdpa); undefined: it is used as it is. */
  readonly vdpa: string | undefined;
}

export type Way =
  | ({ readonly kind: "device" } & DeviceWay)
  | { readonly kind: "veth" }
  | { readonly kind: "internal" }
  | ({ readonly kind: "vhostuser" } & VhostUser);

export interface Attachment {
  readonly switch: SwitchChoice;
  /** Empty: that of the device's card. */
  readonly bridge: string;
  /** Whether a bridge that is missing is made, in userspace. It goes with its last port. */
  readonly createBridge: boolean;
  readonly way: Way;
  readonly vlan: Vlan;
  readonly mtu: number | undefined;
  readonly ofportRequest: number | undefined;
  readonly bandwidth: Bandwidth | undefined;
  readonly mac: Mac | undefined;
  readonly ifaceId: string | undefined;
  readonly podUid: string | undefined;
  readonly pod: PodRef | undefined;
}
