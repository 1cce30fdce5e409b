import { dissectIcmp, dissectIcmpv6 } from "./icmp.ts";
import { type Bytes, hexNumber, LayerDraft, type Work } from "./layer.ts";
import { dissectTcp, dissectUdp } from "./transport.ts";

/** IANA's registry "Protocol Numbers". */
const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [1, "ICMP"],
  [2, "IGMP"],
  [6, "TCP"],
  [17, "UDP"],
  [47, "GRE"],
  [50, "ESP"],
  [58, "ICMPv6"],
  [89, "OSPF"],
  [132, "SCTP"],
]);
/** RFC 8200 §4: hop-by-hop, routing and destination options, which have a length in units of eight bytes. */
const OPTION_HEADERS: ReadonlySet<number> = new Set([0, 43, 60]);
const FRAGMENT_HEADER = 44;

/** RFC 791. */
export function dissectIpv4(work: Work, bytes: Bytes): void {
  const draft = new LayerDraft(bytes, "ip");
  const header = (bytes.u8(0) & 0xf) * 4;
  const length = bytes.u16(2);
  const flags = bytes.u16(6);
  const fragment = (flags & 0x1fff) * 8;
  const protocol = bytes.u8(9);
  draft.add("version", "Version", bytes.u8(0) >> 4, 0, 1);
  draft.add("hdr_len", "Header length", header, 0, 1);
  draft.add("dsfield", "Differentiated services", bytes.u8(1), 1, 1, hexNumber(bytes.u8(1), 2));
  draft.add("len", "Total length", length, 2, 2);
  draft.add("id", "Identification", bytes.u16(4), 4, 2, hexNumber(bytes.u16(4), 4));
  draft.add("flags.df", "Don't fragment", (flags >> 14) & 1, 6, 1);
  draft.add("flags.mf", "More fragments", (flags >> 13) & 1, 6, 1);
  draft.add("frag_offset", "Fragment offset", fragment, 6, 2);
  draft.add("ttl", "Time to live", bytes.u8(8), 8, 1);
  draft.add("proto", "Protocol", protocol, 9, 1, PROTOCOLS.get(protocol));
  draft.add("checksum", "Checksum", bytes.u16(10), 10, 2, hexNumber(bytes.u16(10), 4));
  draft.add("src", "Source", bytes.ipv4(12), 12, 4);
  draft.add("dst", "Destination", bytes.ipv4(16), 16, 4);
  work.source = bytes.ipv4(12);
  work.destination = bytes.ipv4(16);
  work.layers.push(draft.done(`IPv4, ${work.source} to ${work.destination}`, header));
  if (fragment > 0) {
    work.protocol = "IPv4";
    work.info = `Fragment of ${PROTOCOLS.get(protocol) ?? `protocol ${protocol}`}, from byte ${fragment}`;
    return;
  }
  // What follows the datagram pads the frame to Ethernet's least length. 0: left to segmentation offload.
  dissectProtocol(work, protocol, bytes.after(header, length === 0 ? undefined : length - header));
}

/** RFC 8200. */
export function dissectIpv6(work: Work, bytes: Bytes): void {
  const draft = new LayerDraft(bytes, "ipv6");
  const length = bytes.u16(4);
  let next = bytes.u8(6);
  draft.add("version", "Version", bytes.u8(0) >> 4, 0, 1);
  draft.add("tclass", "Traffic class", (bytes.u16(0) >> 4) & 0xff, 0, 2);
  draft.add("flow", "Flow label", bytes.u24(1) & 0xfffff, 1, 3, hexNumber(bytes.u24(1) & 0xfffff, 5));
  draft.add("plen", "Payload length", length, 4, 2);
  draft.add("nxt", "Next header", next, 6, 1, PROTOCOLS.get(next));
  draft.add("hlim", "Hop limit", bytes.u8(7), 7, 1);
  draft.add("src", "Source", bytes.ipv6(8), 8, 16);
  draft.add("dst", "Destination", bytes.ipv6(24), 24, 16);
  work.source = bytes.ipv6(8);
  work.destination = bytes.ipv6(24);
  work.layers.push(draft.done(`IPv6, ${work.source} to ${work.destination}`, 40));
  let rest = bytes.after(40, length === 0 ? undefined : length);
  while (OPTION_HEADERS.has(next)) {
    next = rest.u8(0);
    rest = rest.after((rest.u8(1) + 1) * 8);
  }
  if (next === FRAGMENT_HEADER) {
    const offset = rest.u16(2) & 0xfff8;
    next = rest.u8(0);
    if (offset > 0) {
      work.protocol = "IPv6";
      work.info = `Fragment of ${PROTOCOLS.get(next) ?? `protocol ${next}`}, from byte ${offset}`;
      return;
    }
    rest = rest.after(8);
  }
  dissectProtocol(work, next, rest);
}

function dissectProtocol(work: Work, protocol: number, bytes: Bytes): void {
  work.protocol = PROTOCOLS.get(protocol) ?? `IP ${protocol}`;
  work.info = `${work.protocol}, ${bytes.length} bytes`;
  switch (protocol) {
    case 1:
      dissectIcmp(work, bytes);
      break;
    case 6:
      dissectTcp(work, bytes);
      break;
    case 17:
      dissectUdp(work, bytes);
      break;
    case 58:
      dissectIcmpv6(work, bytes);
      break;
  }
}
