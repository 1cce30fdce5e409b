/** Echo messages of ICMP (RFC 792) and ICMPv6 (RFC 4443 §4). */

/** Which echo a reply answers. */
export interface Echo {
  readonly identifier: number;
  readonly sequence: number;
}

const REQUEST = { 4: 8, 6: 128 } as const;
const REPLY = { 4: 0, 6: 129 } as const;
const HEADER = 8;
/** As ping(8) sends by default. */
const PAYLOAD = 56;

/** An echo request. For ICMPv6 the kernel fills the checksum in (RFC 3542 §3.1). */
export function echoRequest(family: 4 | 6, { identifier, sequence }: Echo): Uint8Array {
  const message = new Uint8Array(HEADER + PAYLOAD);
  const view = new DataView(message.buffer);
  view.setUint8(0, REQUEST[family]);
  view.setUint16(4, identifier);
  view.setUint16(6, sequence);
  for (let at = HEADER; at < message.length; at++) message[at] = at;
  if (family === 4) view.setUint16(2, checksum(message));
  return message;
}

/** The echo that a received datagram answers; undefined when it is no echo reply. */
export function echoReply(family: 4 | 6, datagram: Uint8Array): Echo | undefined {
  // A raw IPv4 socket hands out the IP header too (raw(7)), an ICMPv6 one does not.
  const at = family === 4 ? ((datagram[0] ?? 0) & 0x0f) * 4 : 0;
  if (datagram.length < at + HEADER || datagram[at] !== REPLY[family]) return undefined;
  const view = new DataView(datagram.buffer, datagram.byteOffset + at, HEADER);
  return { identifier: view.getUint16(4), sequence: view.getUint16(6) };
}

/** A socket filter that lets echo replies alone through: a set bit stops a type (raw(7), RFC 3542 §3.2). */
export function replyFilter(family: 4 | 6): Uint8Array {
  const filter = new Uint8Array(family === 4 ? 4 : 32).fill(0xff);
  const bit = REPLY[family];
  filter[bit >> 3] = 0xff & ~(1 << (bit & 7));
  return filter;
}

/** The Internet checksum (RFC 1071). */
export function checksum(data: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < data.length; at += 2) sum += ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
