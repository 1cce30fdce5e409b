/** The kernel's own VXLAN devices in rtnetlink's terms (<linux/if_link.h>, IFLA_VXLAN_…). */
import { fromNumber, ipBytes } from "@switchyard/base";
import type { VxlanLink, VxlanSeen } from "../types.ts";
import type { MessageWriter, Reader } from "./message.ts";

const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_GROUP = 2;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_TTL = 5;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_GROUP6 = 16;

/** The contents of IFLA_INFO_DATA for a new device over the link with that index. */
export function writeVxlan(writer: MessageWriter, vxlan: Omit<VxlanLink, "dev">, lower: number): void {
  const group = ipBytes(vxlan.group);
  writer.attributeU32(IFLA_VXLAN_ID, vxlan.id);
  writer.attribute(group.length === 4 ? IFLA_VXLAN_GROUP : IFLA_VXLAN_GROUP6, group);
  writer.attributeU32(IFLA_VXLAN_LINK, lower);
  writer.attributeU8(IFLA_VXLAN_TTL, vxlan.ttl);
  writer.attributeU8(IFLA_VXLAN_LEARNING, vxlan.learning ? 1 : 0);
  // In network order, unlike the rest.
  writer.attribute(IFLA_VXLAN_PORT, Uint8Array.of(vxlan.dstport >> 8, vxlan.dstport & 0xff));
}

/** Reads IFLA_INFO_DATA of a VXLAN device. */
export function readVxlan(reader: Reader, start: number, end: number): VxlanSeen {
  let [id, lower, dstport, ttl] = [0, 0, 0, 0];
  let group = "";
  let learning = false;
  reader.attributes(start, end, (type, from, to) => {
    switch (type) {
      case IFLA_VXLAN_ID:
        id = reader.u32(from);
        break;
      case IFLA_VXLAN_GROUP:
        group = Array.from(reader.slice(from, to)).join(".");
        break;
      case IFLA_VXLAN_GROUP6:
        group = groupsOfSix(reader.slice(from, to));
        break;
      case IFLA_VXLAN_LINK:
        lower = reader.u32(from);
        break;
      case IFLA_VXLAN_TTL:
        ttl = reader.u8(from);
        break;
      case IFLA_VXLAN_LEARNING:
        learning = reader.u8(from) !== 0;
        break;
      case IFLA_VXLAN_PORT:
        dstport = (reader.u8(from) << 8) | reader.u8(from + 1);
        break;
    }
  });
  return { id, group, lower, dstport, ttl, learning };
}

/** An IPv6 address written out, as {@link fromNumber} of base has it. */
function groupsOfSix(bytes: Uint8Array): string {
  return fromNumber(
    bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n),
    6,
  );
}
