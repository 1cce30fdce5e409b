import type { Cidr, Ip, Mac } from "@switchyard/base";

/**
 * A named network namespace (`/run/netns/<name>`), the one of a process, the one that a file stands for (its absolute
 * path), or the caller's own.
 */
export type NamespaceRef = { readonly name: string } | { readonly pid: number } | { readonly path: string } | "self";

/** One change to the links, addresses and routes of a namespace; the field names are iproute2's. */
export type LinkOp =
  | {
      readonly op: "veth";
      readonly name: string;
      readonly alias?: string;
      readonly mtu?: number;
      readonly mac?: Mac;
      readonly up?: boolean;
      /** The bridge of the kernel's own, in the same namespace, that it is a member of. */
      readonly master?: string;
      /**
       * It is a port of a switch: the namespace's own stack takes no part in what passes there. It answers no ARP (it
       * would for every address of the host, beside the one who is meant) and gets no IPv6 address of its own.
       */
      readonly port?: boolean;
      /** The other end, made in its namespace at once; it has the same MTU. `self` means the caller's own namespace. */
      readonly peer: {
        readonly name: string;
        readonly namespace: NamespaceRef;
        readonly mac?: Mac;
        readonly alias?: string;
        readonly up?: boolean;
        /** It is a port of a switch too. */
        readonly port?: boolean;
        readonly offloads?: boolean;
        /**
         * It will be given its addresses. So it asks no IPv6 router for any (RFC 4861 section 6.3.7; what routers advertise
         * unasked it takes all the same), and does not try whether its link-local one is taken (RFC 4862 section 5.4). The
         * kernel would ask for ever, and a switch brings each question to every port of a segment. By rtnetlink only:
         * `ip` knows no such options.
         */
        readonly addressed?: boolean;
      };
    }
  | {
      /** A tap device (tun(4)) that outlives whoever has it open, for a virtual machine; it has packets with vnet headers. */
      readonly op: "tap";
      readonly name: string;
      /** The user that may open it without being root. */
      readonly owner?: number;
      readonly alias?: string;
      readonly mtu?: number;
      readonly mac?: Mac;
      readonly up?: boolean;
      /** As of a veth. */
      readonly port?: boolean;
    }
  | {
      /** A second MAC address on the link `parent`, in mode `bridge` (ip-link(8)): those of one parent reach each other. */
      readonly op: "macvlan";
      readonly name: string;
      /** A macvtap: what has it open has its packets, and not the kernel (ip-link(8)); see {@link openMacvtap}. */
      readonly tap?: boolean;
      /** A link of the batch's namespace; it need not be in the same one as the new link. */
      readonly parent: string;
      /** Where the new link is made; by default in the batch's namespace. */
      readonly namespace?: NamespaceRef;
      readonly alias?: string;
      readonly mtu?: number;
      readonly mac?: Mac;
      readonly up?: boolean;
    }
  | {
      /** A bridge of the kernel's own, without the spanning tree protocol. */
      readonly op: "bridge";
      readonly name: string;
      readonly alias?: string;
      readonly mtu?: number;
      readonly mac?: Mac;
      readonly up?: boolean;
      readonly group?: number;
    }
  | {
      /** A device that swallows what is sent to it, for a copy of frames to be looked at; nothing ever comes from it. */
      readonly op: "sink";
      readonly name: string;
      readonly alias?: string;
      readonly up?: boolean;
    }
  | {
      readonly op: "set";
      readonly name: string;
      readonly up?: boolean;
      readonly mtu?: number;
      readonly mac?: Mac;
      readonly alias?: string;
      readonly rename?: string;
      readonly namespace?: NamespaceRef;
      /** The bridge of the kernel's own that it becomes a member of; empty: none. */
      readonly master?: string;
      /** A number by which rules of the host may know links, 0 by default. */
      readonly group?: number;
      /** Whether checksums and segmentation are left to whoever takes the packets: `tx` of ethtool(8). */
      readonly offloads?: boolean;
      /** False: it takes no longer frames for others because somebody had asked it to. */
      readonly promisc?: false;
    }
  | {
      readonly op: "vxlan";
      readonly name: string;
      readonly alias?: string;
      readonly mtu?: number;
      readonly up?: boolean;
      readonly vxlan: VxlanLink;
    }
  | { readonly op: "delete"; readonly name: string }
  | { readonly op: "address-add" | "address-delete"; readonly name: string; readonly address: Cidr }
  | { readonly op: "route-add" | "route-delete"; readonly route: Route };

/** A VXLAN device of the kernel's own, as ip-link(8) makes it, over a multicast group (or to one remote address). */
export interface VxlanLink {
  /** The VXLAN network identifier, 0 to 2^24 - 1. */
  readonly id: number;
  readonly group: Ip;
  /** The link, in the same namespace, that the packets go out by. */
  readonly dev: string;
  /** UDP port; 4789 is the assigned one, 8472 what Linux took before there was one. */
  readonly dstport: number;
  /** 0: the kernel's own choice, which is 1 to a multicast group. */
  readonly ttl: number;
  /** Whether it learns behind which host an address is. */
  readonly learning: boolean;
}

/** A VXLAN device as the kernel tells it. */
export interface VxlanSeen {
  readonly id: number;
  /** Empty without one. */
  readonly group: string;
  /** ifindex of the link below; 0 without one. */
  readonly lower: number;
  readonly dstport: number;
  readonly ttl: number;
  readonly learning: boolean;
}

/**
 * A route as far as we make them; those of ours carry ROUTE_PROTOCOL. The kernel always tells `dev`, also where it was
 * chosen by `via`; IPv6's metric 1024, which it takes where none is given, is told as none.
 */
export interface Route {
  /** Destination network, or `default` of the family of `via`. */
  readonly to: Cidr | "default4" | "default6";
  readonly via?: Ip;
  readonly dev?: string;
  readonly metric?: number;
}

/** What went wrong with one operation of a batch; the others were still tried. */
export interface LinkFailure {
  readonly namespace: NamespaceRef;
  readonly op: LinkOp;
  /** The kernel's errno name, `EEXIST`, and its extended acknowledgement when it gave one. */
  readonly errno: string;
  readonly message: string;
}

/** Why a namespace could not be made or deleted. */
export interface NamespaceFailure {
  readonly name: string;
  /** The kernel's errno name, `EEXIST`. */
  readonly errno: string;
  readonly message: string;
}

/** The operations of one namespace, in order. */
export interface NamespaceBatch {
  readonly namespace: NamespaceRef;
  readonly ops: readonly LinkOp[];
}

/** Kinds of links that each lie on another one, their parent. */
export const UPPER_KINDS: ReadonlySet<string> = new Set(["macvlan", "macvtap", "vlan"]);

/** A link as the kernel reports it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly alias: string;
  /** ifindex of the other end of a veth; 0 for other kinds. */
  readonly peerIndex: number;
  /** ifindex of the bridge, or bond, that it is a member of; 0 without one. */
  readonly master: number;
  /** See {@link LinkOp}. */
  readonly group: number;
  /** Of a VXLAN device only. */
  readonly vxlan?: VxlanSeen;
  /** Of the {@link UPPER_KINDS} only: ifindex of its parent, maybe in another namespace. */
  readonly parent?: number;
  /** Whether checksums and segmentation are left to whoever takes the packets; undefined: not a veth, or not known. */
  readonly offloads: boolean | undefined;
  readonly addresses: readonly LinkAddress[];
}

export interface LinkAddress {
  readonly address: Cidr;
  /** Marked as ours by IFA_PROTO (Linux 5.18); where the kernel has no mark, every permanent global address is. */
  readonly ours: boolean;
}

/** What a namespace holds: its links by name, and the routes that carry our protocol number. */
export interface NamespaceView {
  readonly links: ReadonlyMap<string, Link>;
  readonly routes: readonly Route[];
}
