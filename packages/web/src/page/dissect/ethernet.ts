import { dissectArp } from "./arp.ts";
import { dissectIpv4, dissectIpv6 } from "./ip.ts";
import { type Bytes, hexNumber, LayerDraft, type Work } from "./layer.ts";

/** EtherTypes, IANA's registry "IEEE 802 Numbers". */
const ETHER_TYPES: ReadonlyMap<number, string> = new Map([
  [0x0800, "IPv4"],
  [0x0806, "ARP"],
  [0x8100, "802.1Q"],
  [0x86dd, "IPv6"],
  [0x8809, "LACP"],
  [0x8847, "MPLS"],
  [0x88a8, "802.1ad"],
  [0x88cc, "LLDP"],
]);
const LENGTH_FIELD_MAX = 1500;

/** IEEE 802.3 §3: addresses, then a type, or below 1501 a length that LLC follows. */
export function dissectEthernet(work: Work, bytes: Bytes): void {
  const draft = new LayerDraft(bytes, "eth");
  const destination = bytes.mac(0);
  const source = bytes.mac(6);
  const type = bytes.u16(12);
  draft.add("dst", "Destination", destination, 0, 6);
  draft.add("src", "Source", source, 6, 6);
  if (type <= LENGTH_FIELD_MAX) draft.add("len", "Length", type, 12, 2);
  else draft.add("type", "Type", type, 12, 2, typeText(type));
  work.layers.push(draft.done(`Ethernet, ${source} to ${destination}`, 14));
  work.source = source;
  work.destination = destination;
  work.protocol = "Ethernet";
  work.info = `${type <= LENGTH_FIELD_MAX ? "802.3 frame" : typeText(type)}, ${bytes.length} bytes`;
  if (type <= LENGTH_FIELD_MAX) dissectLlc(work, bytes.after(14, type));
  else dissectEtherType(work, type, bytes.after(14));
}

function dissectEtherType(work: Work, type: number, bytes: Bytes): void {
  switch (type) {
    case 0x0800:
      dissectIpv4(work, bytes);
      break;
    case 0x0806:
      dissectArp(work, bytes);
      break;
    case 0x86dd:
      dissectIpv6(work, bytes);
      break;
    case 0x8100:
    case 0x88a8:
      dissectVlan(work, bytes);
      break;
    default:
      work.protocol = ETHER_TYPES.get(type) ?? hexNumber(type, 4);
  }
}

/** IEEE 802.1Q §9.6: priority, drop eligibility and VLAN id, and then the type of what follows. */
function dissectVlan(work: Work, bytes: Bytes): void {
  const draft = new LayerDraft(bytes, "vlan");
  const control = bytes.u16(0);
  const type = bytes.u16(2);
  const id = control & 0xfff;
  draft.add("id", "VLAN", id, 0, 2);
  draft.add("priority", "Priority", control >> 13, 0, 1);
  draft.add("dei", "Drop eligible", (control >> 12) & 1, 0, 1);
  draft.add("etype", "Type", type, 2, 2, typeText(type));
  work.layers.push(draft.done(`802.1Q, VLAN ${id}`, 4));
  work.protocol = "802.1Q";
  dissectEtherType(work, type, bytes.after(4));
}

/** IEEE 802.2; of what runs over it only the spanning tree protocol is named. */
function dissectLlc(work: Work, bytes: Bytes): void {
  const draft = new LayerDraft(bytes, "llc");
  draft.add("dsap", "DSAP", bytes.u8(0), 0, 1, hexNumber(bytes.u8(0), 2));
  draft.add("ssap", "SSAP", bytes.u8(1), 1, 1, hexNumber(bytes.u8(1), 2));
  work.layers.push(draft.done("Logical Link Control", 3));
  work.protocol = bytes.u8(0) === 0x42 ? "STP" : "LLC";
  work.info = bytes.u8(0) === 0x42 ? "Spanning tree" : `LLC to SAP ${hexNumber(bytes.u8(0), 2)}`;
}

function typeText(type: number): string {
  const name = ETHER_TYPES.get(type);
  return name === undefined ? hexNumber(type, 4) : `${name} (${hexNumber(type, 4)})`;
}
