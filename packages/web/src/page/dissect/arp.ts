import { type Bytes, LayerDraft, type Work } from "./layer.ts";

/** RFC 826, for IPv4 over Ethernet. */
export function dissectArp(work: Work, bytes: Bytes): void {
  const draft = new LayerDraft(bytes, "arp");
  const opcode = bytes.u16(6);
  const senderMac = bytes.mac(8);
  const sender = bytes.ipv4(14);
  const target = bytes.ipv4(24);
  draft.add("opcode", "Operation", opcode, 6, 2, opcode === 1 ? "request" : opcode === 2 ? "reply" : undefined);
  draft.add("src.hw_mac", "Sender MAC", senderMac, 8, 6);
  draft.add("src.proto_ipv4", "Sender address", sender, 14, 4);
  draft.add("dst.hw_mac", "Target MAC", bytes.mac(18), 18, 6);
  draft.add("dst.proto_ipv4", "Target address", target, 24, 4);
  work.layers.push(draft.done(`ARP, ${opcode === 2 ? "reply" : "request"}`, 28));
  work.protocol = "ARP";
  if (opcode === 2) work.info = `${sender} is at ${senderMac}`;
  else if (sender === target) work.info = `${sender} announces itself`;
  else work.info = `Who has ${target}? Tell ${sender}`;
}
