import { type Bytes, CutShort, hexNumber, LayerDraft, type Work } from "./layer.ts";

const COOKIE = 0x6382_5363;
const PAD = 0;
const END = 255;
/** RFC 2132 §9.6. */
const MESSAGES = ["", "Discover", "Offer", "Request", "Decline", "ACK", "NAK", "Release", "Inform"];
/** RFC 2132, those that show as addresses. */
const ADDRESS_OPTIONS: ReadonlyMap<number, readonly [key: string, title: string]> = new Map([
  [1, ["subnet_mask", "Subnet mask"]],
  [3, ["router", "Router"]],
  [6, ["domain_name_server", "Name server"]],
  [28, ["broadcast_address", "Broadcast address"]],
  [50, ["requested_ip_address", "Requested address"]],
  [54, ["dhcp_server_id", "Server"]],
]);

/** RFC 2131 §2 and the options of RFC 2132. */
export function dissectDhcp(work: Work, bytes: Bytes): void {
  if (bytes.u32(236) !== COOKIE) throw new CutShort();
  const draft = new LayerDraft(bytes, "dhcp");
  const id = bytes.u32(4);
  const yours = bytes.ipv4(16);
  draft.add("type", "Operation", bytes.u8(0), 0, 1, bytes.u8(0) === 1 ? "request" : "reply");
  draft.add("id", "Transaction", id, 4, 4, hexNumber(id, 8));
  draft.add("ip.client", "Client's address", bytes.ipv4(12), 12, 4);
  draft.add("ip.your", "Your address", yours, 16, 4);
  draft.add("hw.mac_addr", "Client's MAC", bytes.mac(28), 28, 6);
  const message = dissectOptions(draft, bytes);
  work.layers.push(draft.done(`DHCP, ${message.toLowerCase()}`, bytes.length));
  work.protocol = "DHCP";
  work.info = `${message}, transaction ${hexNumber(id, 8)}${yours === "0.0.0.0" ? "" : `, ${yours}`}`;
}

/** @returns the kind of message */
function dissectOptions(draft: LayerDraft, bytes: Bytes): string {
  let message = "BOOTP";
  let at = 240;
  while (at < bytes.length && bytes.u8(at) !== END) {
    const option = bytes.u8(at);
    if (option === PAD) {
      at++;
      continue;
    }
    const length = bytes.u8(at + 1);
    const value = at + 2;
    const addresses = ADDRESS_OPTIONS.get(option);
    if (option === 53) {
      message = MESSAGES[bytes.u8(value)] || `Message ${bytes.u8(value)}`;
      draft.add("option.dhcp", "Message", bytes.u8(value), value, 1, message);
    } else if (option === 51) draft.add("option.ip_address_lease_time", "Lease, seconds", bytes.u32(value), value, 4);
    else if (option === 12) draft.add("option.hostname", "Host name", bytes.text(value, length), value, length);
    else if (addresses !== undefined)
      for (let n = 0; n + 4 <= length; n += 4)
        draft.add(`option.${addresses[0]}`, addresses[1], bytes.ipv4(value + n), value + n, 4);
    at = value + length;
  }
  return message;
}
