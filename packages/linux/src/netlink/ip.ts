import { fromNumber, type Ip } from "@switchyard/base";

/** The address whose bytes, 4 or 16 in network order, these are. */
export function ipText(bytes: Uint8Array): Ip {
  // Dumps hold thousands of IPv4 addresses, whose text needs no arithmetic.
  if (bytes.length === 4) return bytes.join(".") as Ip;
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return fromNumber(value, 6);
}
