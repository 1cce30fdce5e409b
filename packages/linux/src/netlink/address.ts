/** Addresses in rtnetlink's terms (rtnetlink(7), <linux/if_addr.h>). */
import { addressOf, type Cidr, family, ipBytes, prefixOf } from "@switchyard/base";
import { AF_INET, AF_INET6 } from "../ffi.ts";
import { ipText } from "./ip.ts";
import { type MessageWriter, NLM_F_CREATE, NLM_F_EXCL, type ReceivedMessage } from "./message.ts";
import type { NetlinkRequest } from "./socket.ts";

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

/**
 * IFA_PROTO of our addresses and rtm_protocol of our routes: who made them. Free among those that iproute2's
 * rt_protos and rt_addrprotos name.
 */
export const ROUTE_PROTOCOL = 83;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_PROTO = 11;
const IFA_F_NODAD = 0x02;
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_UNIVERSE = 0;
const IFADDRMSG = 8;

/**
 * Adds an address to the link of an index. An IPv6 one is usable at once: the addresses of a lab are checked for
 * duplicates before, so that the kernel's detection (a second without traffic) has nothing to find.
 */
export function addAddress(index: number, address: Cidr): NetlinkRequest {
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: (writer) => {
      addressBody(writer, index, address);
      if (family(address) === 6) writer.attributeU32(IFA_FLAGS, IFA_F_NODAD);
      writer.attributeU8(IFA_PROTO, ROUTE_PROTOCOL);
    },
  };
}

export function deleteAddress(index: number, address: Cidr): NetlinkRequest {
  return { type: RTM_DELADDR, flags: 0, body: (writer) => addressBody(writer, index, address) };
}

function addressBody(writer: MessageWriter, index: number, address: Cidr): void {
  const bytes = ipBytes(addressOf(address));
  writer
    .u8(family(address) === 4 ? AF_INET : AF_INET6)
    .u8(prefixOf(address))
    .u8(0)
    .u8(RT_SCOPE_UNIVERSE)
    .u32(index);
  writer.attribute(IFA_LOCAL, bytes).attribute(IFA_ADDRESS, bytes);
}

/** The body of a dump of all addresses of both families. */
export function addressDump(writer: MessageWriter): void {
  writer.u32(0).u32(0);
}

/** An address as a message tells it. */
export interface AddressRecord {
  readonly index: number;
  readonly address: Cidr;
  /** IFA_PROTO; 0 when there is none. */
  readonly protocol: number;
  /** Set by hand for good and for everywhere: neither learnt with a lifetime nor link-local. */
  readonly permanentGlobal: boolean;
}

/** Reads an RTM_NEWADDR or RTM_DELADDR message; undefined for families other than IP. */
export function readAddress({ reader, start, end }: ReceivedMessage): AddressRecord | undefined {
  const version = reader.u8(start);
  if (version !== AF_INET && version !== AF_INET6) return undefined;
  const prefix = reader.u8(start + 1);
  let flags = reader.u8(start + 2);
  const scope = reader.u8(start + 3);
  const index = reader.u32(start + 4);
  let local: Uint8Array | undefined;
  let remote: Uint8Array | undefined;
  let protocol = 0;
  reader.attributes(start + IFADDRMSG, end, (type, from, to) => {
    if (type === IFA_LOCAL) local = reader.slice(from, to);
    else if (type === IFA_ADDRESS) remote = reader.slice(from, to);
    else if (type === IFA_FLAGS) flags = reader.u32(from);
    else if (type === IFA_PROTO) protocol = reader.u8(from);
  });
  // IPv6 tells its own address as IFA_ADDRESS alone unless there is a peer.
  const own = local ?? remote;
  if (own === undefined) return undefined;
  const permanentGlobal = scope === RT_SCOPE_UNIVERSE && (flags & IFA_F_PERMANENT) !== 0;
  return { index, address: `${ipText(own)}/${prefix}` as Cidr, protocol, permanentGlobal };
}
