/** Links in rtnetlink's terms (rtnetlink(7), <linux/if_link.h>). */
import type { Mac } from "@switchyard/base";
import { AF_INET6 } from "../ffi.ts";
import { type Link, UPPER_KINDS, type VxlanLink, type VxlanSeen } from "../types.ts";
import type { MessageWriter, ReceivedMessage } from "./message.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "./message.ts";
import { IFF_UP, type NetlinkRequest } from "./socket.ts";
import { readVxlan, writeVxlan } from "./vxlan.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
const RTM_SETLINK = 19;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_GROUP = 27;
const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_MACVLAN_MODE = 1;
const MACVLAN_MODE_BRIDGE = 4;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFF_NOARP = 1 << 7;
const IFF_PROMISC = 1 << 8;
/** The other side is there and up; said only of a link that is up itself. */
const IFF_LOWER_UP = 1 << 16;
const RTEXT_FILTER_SKIP_STATS = 1 << 3;
const IFINFOMSG = 16;

/** What a link may be given when it is made or changed; what is absent stays. */
export interface LinkSettings {
  readonly up?: boolean | undefined;
  readonly mtu?: number | undefined;
  readonly mac?: Mac | undefined;
  readonly alias?: string | undefined;
  readonly rename?: string | undefined;
  /** Descriptor of the namespace to move to. */
  readonly namespace?: number | undefined;
  /** The index of a bridge; 0: of none. */
  readonly master?: number | undefined;
  readonly group?: number | undefined;
  /** No ARP (true only). */
  readonly silent?: boolean | undefined;
  /** Takes no frames for others any more (false only). */
  readonly promisc?: false | undefined;
  /** No IPv6 address of its own (true only); a link that has no IPv6 refuses it. */
  readonly unaddressed?: boolean | undefined;
}

/** One end of a new veth. The kernel takes no alias here: that is a change afterwards. */
export interface VethEnd {
  readonly name: string;
  readonly up?: boolean | undefined;
  readonly mtu?: number | undefined;
  readonly mac?: Mac | undefined;
}

function interfaceHeader(writer: MessageWriter, up?: boolean): void {
  writer
    .u32(0)
    .u32(0)
    .u32(up === true ? IFF_UP : 0)
    .u32(up === undefined ? 0 : IFF_UP);
}

/** The octets of `02:00:00:00:00:01`. */
function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(":"), (octet) => Number.parseInt(octet, 16));
}

/** A pair of links, the peer made in the namespace whose descriptor is given: one request for both ends. */
export function createVeth(near: VethEnd, far: VethEnd, farNamespace: number | undefined): NetlinkRequest {
  const end = (writer: MessageWriter, settings: VethEnd) => {
    writer.attributeText(IFLA_IFNAME, settings.name);
    if (settings.mtu !== undefined) writer.attributeU32(IFLA_MTU, settings.mtu);
    if (settings.mac !== undefined) writer.attribute(IFLA_ADDRESS, macBytes(settings.mac));
  };
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: (writer) => {
      interfaceHeader(writer, near.up);
      end(writer, near);
      writer.nested(IFLA_LINKINFO, () => {
        writer.attributeText(IFLA_INFO_KIND, "veth");
        writer.nested(IFLA_INFO_DATA, () =>
          writer.nested(VETH_INFO_PEER, () => {
            interfaceHeader(writer, far.up);
            end(writer, far);
            if (farNamespace !== undefined) writer.attributeU32(IFLA_NET_NS_FD, farNamespace);
          }),
        );
      });
    },
  };
}

/** A VXLAN device over the link with the index `lower`. */
export function createVxlan(
  name: string,
  settings: Pick<LinkSettings, "mtu" | "up">,
  vxlan: VxlanLink,
  lower: number,
): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: (writer) => {
      interfaceHeader(writer, settings.up);
      writer.attributeText(IFLA_IFNAME, name);
      if (settings.mtu !== undefined) writer.attributeU32(IFLA_MTU, settings.mtu);
      writer.nested(IFLA_LINKINFO, () => {
        writer.attributeText(IFLA_INFO_KIND, "vxlan");
        writer.nested(IFLA_INFO_DATA, () => writeVxlan(writer, vxlan, lower));
      });
    },
  };
}

/** A macvlan, or macvtap, of the link with the index `parent`, made in the namespace whose descriptor is given. */
export function createMacvlan(
  name: string,
  { mtu, mac, namespace }: Pick<LinkSettings, "mtu" | "mac" | "namespace">,
  parent: number,
  tap = false,
): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: (writer) => {
      interfaceHeader(writer);
      writer.attributeText(IFLA_IFNAME, name);
      writer.attributeU32(IFLA_LINK, parent);
      if (mtu !== undefined) writer.attributeU32(IFLA_MTU, mtu);
      if (mac !== undefined) writer.attribute(IFLA_ADDRESS, macBytes(mac));
      if (namespace !== undefined) writer.attributeU32(IFLA_NET_NS_FD, namespace);
      writer.nested(IFLA_LINKINFO, () => {
        writer.attributeText(IFLA_INFO_KIND, tap ? "macvtap" : "macvlan");
        writer.nested(IFLA_INFO_DATA, () => writer.attributeU32(IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE));
      });
    },
  };
}

/** A link of a kind that needs to be told no more. */
export function createLink(
  name: string,
  kind: string,
  { mtu, mac }: Pick<LinkSettings, "mtu" | "mac"> = {},
): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: (writer) => {
      interfaceHeader(writer);
      writer.attributeText(IFLA_IFNAME, name);
      if (mtu !== undefined) writer.attributeU32(IFLA_MTU, mtu);
      if (mac !== undefined) writer.attribute(IFLA_ADDRESS, macBytes(mac));
      writer.nested(IFLA_LINKINFO, () => writer.attributeText(IFLA_INFO_KIND, kind));
    },
  };
}

/**
 * A change of an existing link, named by its name. The name leads to the index only as the first IFLA_IFNAME; a new
 * name therefore needs the index.
 */
export function setLink(target: string | number, settings: LinkSettings): NetlinkRequest {
  return {
    type: RTM_SETLINK,
    flags: 0,
    body: (writer) => {
      writer
        .u32(0)
        .u32(typeof target === "number" ? target : 0)
        .u32((settings.up === true ? IFF_UP : 0) | (settings.silent === true ? IFF_NOARP : 0))
        .u32(
          (settings.up === undefined ? 0 : IFF_UP) |
            (settings.silent === true ? IFF_NOARP : 0) |
            (settings.promisc === false ? IFF_PROMISC : 0),
        );
      if (typeof target === "string") writer.attributeText(IFLA_IFNAME, target);
      else if (settings.rename !== undefined) writer.attributeText(IFLA_IFNAME, settings.rename);
      if (settings.mtu !== undefined) writer.attributeU32(IFLA_MTU, settings.mtu);
      if (settings.mac !== undefined) writer.attribute(IFLA_ADDRESS, macBytes(settings.mac));
      // An alias is taken away by a value of no bytes; iproute2 sends it so too.
      if (settings.alias !== undefined) writer.attribute(IFLA_IFALIAS, Buffer.from(settings.alias, "utf8"));
      if (settings.namespace !== undefined) writer.attributeU32(IFLA_NET_NS_FD, settings.namespace);
      if (settings.master !== undefined) writer.attributeU32(IFLA_MASTER, settings.master);
      if (settings.group !== undefined) writer.attributeU32(IFLA_GROUP, settings.group);
      if (settings.unaddressed === true)
        writer.nested(IFLA_AF_SPEC, () =>
          writer.nested(AF_INET6, () =>
            writer.attribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(IN6_ADDR_GEN_MODE_NONE)),
          ),
        );
    },
  };
}

export function deleteLink(name: string): NetlinkRequest {
  return {
    type: RTM_DELLINK,
    flags: 0,
    body: (writer) => {
      interfaceHeader(writer);
      writer.attributeText(IFLA_IFNAME, name);
    },
  };
}

/** The body of a dump of all links, without the counters, which are most of its volume. */
export function linkDump(writer: MessageWriter): void {
  interfaceHeader(writer);
  writer.attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

/** A link as a message tells it. */
export type LinkRecord = Omit<Link, "offloads" | "addresses">;

/** Reads an RTM_NEWLINK or RTM_DELLINK message. */
export function readLink({ reader, start, end }: ReceivedMessage): LinkRecord {
  const index = reader.i32(start + 4);
  const flags = reader.u32(start + 8);
  let name = "";
  let kind = "";
  let mac = "";
  let mtu = 0;
  let alias = "";
  let link = 0;
  let master = 0;
  let group = 0;
  let vxlan: VxlanSeen | undefined;
  reader.attributes(start + IFINFOMSG, end, (type, from, to) => {
    switch (type) {
      case IFLA_IFNAME:
        name = reader.text(from, to);
        break;
      case IFLA_ADDRESS:
        mac = Array.from(reader.slice(from, to), (octet) => octet.toString(16).padStart(2, "0")).join(":");
        break;
      case IFLA_MTU:
        mtu = reader.u32(from);
        break;
      case IFLA_IFALIAS:
        alias = reader.text(from, to);
        break;
      case IFLA_LINK:
        link = reader.u32(from);
        break;
      case IFLA_MASTER:
        master = reader.u32(from);
        break;
      case IFLA_GROUP:
        group = reader.u32(from);
        break;
      case IFLA_LINKINFO:
        reader.attributes(from, to, (inner, innerFrom, innerTo) => {
          if (inner === IFLA_INFO_KIND) kind = reader.text(innerFrom, innerTo);
          // The kind stands before its data (rtnl_link_info_fill in net/core/rtnetlink.c).
          if (inner === IFLA_INFO_DATA && kind === "vxlan") vxlan = readVxlan(reader, innerFrom, innerTo);
        });
        break;
    }
  });
  const up = (flags & IFF_UP) !== 0;
  const carrier = (flags & IFF_LOWER_UP) !== 0;
  return {
    index,
    name,
    kind,
    mac,
    mtu,
    up,
    carrier,
    alias,
    peerIndex: kind === "veth" ? link : 0,
    master,
    group,
    ...(vxlan && { vxlan }),
    ...(UPPER_KINDS.has(kind) && { parent: link }),
  };
}
