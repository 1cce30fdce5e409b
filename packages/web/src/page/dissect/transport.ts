import { dissectDhcp } from "./dhcp.ts";
import { dissectDns } from "./dns.ts";
import { type Bytes, CutShort, hexNumber, LayerDraft, type Work } from "./layer.ts";
import { dissectVxlan } from "./vxlan.ts";

/** RFC 9293 §3.1, from the lowest bit. */
const TCP_FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"] as const;
const DNS_PORTS: ReadonlySet<number> = new Set([53, 5353]);
const DHCP_PORTS: ReadonlySet<number> = new Set([67, 68]);
/** IANA's, and what Linux used before it. */
const VXLAN_PORTS: ReadonlySet<number> = new Set([4789, 8472]);

/** RFC 9293. */
export function dissectTcp(work: Work, bytes: Bytes): void {
  const draft = new LayerDraft(bytes, "tcp");
  const [from, to] = [bytes.u16(0), bytes.u16(2)];
  const header = (bytes.u8(12) >> 4) * 4;
  const bits = bytes.u8(13);
  const flags = TCP_FLAGS.filter((_, bit) => (bits >> bit) & 1);
  const payload = Math.max(0, bytes.length - header);
  draft.add("srcport", "Source port", from, 0, 2);
  draft.add("dstport", "Destination port", to, 2, 2);
  draft.add("seq", "Sequence", bytes.u32(4), 4, 4);
  draft.add("ack", "Acknowledgment", bytes.u32(8), 8, 4);
  draft.add("hdr_len", "Header length", header, 12, 1);
  draft.add("flags", "Flags", bits, 13, 1, flags.join(" "));
  for (const [bit, name] of TCP_FLAGS.entries())
    draft.add(`flags.${name.toLowerCase()}`, name, (bits >> bit) & 1, 13, 1);
  draft.add("window_size", "Window", bytes.u16(14), 14, 2);
  draft.add("checksum", "Checksum", bytes.u16(16), 16, 2, hexNumber(bytes.u16(16), 4));
  draft.add("len", "Payload", payload, 12, 1);
  work.layers.push(draft.done(`TCP, port ${from} to ${to}`, header));
  work.protocol = "TCP";
  work.info = `${from} → ${to} [${flags.join(", ")}] seq ${bytes.u32(4)}, ack ${bytes.u32(8)}, ${payload} bytes`;
  // RFC 1035 §4.2.2: over TCP a message has its length in front.
  if (payload > 14 && (DNS_PORTS.has(from) || DNS_PORTS.has(to)))
    inside(work, () => dissectDns(work, bytes.after(header + 2)));
}

/** RFC 768. */
export function dissectUdp(work: Work, bytes: Bytes): void {
  const draft = new LayerDraft(bytes, "udp");
  const [from, to] = [bytes.u16(0), bytes.u16(2)];
  const length = bytes.u16(4);
  draft.add("srcport", "Source port", from, 0, 2);
  draft.add("dstport", "Destination port", to, 2, 2);
  draft.add("length", "Length", length, 4, 2);
  draft.add("checksum", "Checksum", bytes.u16(6), 6, 2, hexNumber(bytes.u16(6), 4));
  work.layers.push(draft.done(`UDP, port ${from} to ${to}`, 8));
  work.protocol = "UDP";
  work.info = `${from} → ${to}, ${length - 8} bytes`;
  const payload = bytes.after(8, length - 8);
  if (DNS_PORTS.has(from) || DNS_PORTS.has(to)) inside(work, () => dissectDns(work, payload));
  else if (DHCP_PORTS.has(from) && DHCP_PORTS.has(to)) inside(work, () => dissectDhcp(work, payload));
  else if (VXLAN_PORTS.has(to)) inside(work, () => dissectVxlan(work, payload));
}

/** What comes to a port need not be what is usual there: then it stays bytes. */
function inside(work: Work, dissect: () => void): void {
  const { layers, source, destination, protocol, info } = work;
  const depth = layers.length;
  try {
    dissect();
  } catch (error) {
    if (!(error instanceof CutShort)) throw error;
    layers.length = depth;
    Object.assign(work, { source, destination, protocol, info });
  }
}
