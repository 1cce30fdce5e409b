import ipaddr from "ipaddr.js";
import { YardError } from "./errors.ts";

/** An Ethernet address in lower case with colons, as `ip link` prints it. */
export type Mac = string & { readonly __mac: unique symbol };
/** An IPv4 or IPv6 address in canonical form (RFC 5952 for IPv6). */
export type Ip = string & { readonly __ip: unique symbol };
/** A host address with its prefix length, `10.1.0.1/24` or `fd01::9/64`; the host bits are kept. */
export type Cidr = string & { readonly __cidr: unique symbol };

/** @throws YardError `address.bad-mac` unless six hexadecimal octets of a unicast, non-zero address */
export function parseMac(text: string): Mac {
  const mac = text.toLowerCase();
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))
    throw new YardError("address.bad-mac", `"${text}" is not a MAC address such as 02:00:00:00:00:01`);
  if (Number.parseInt(mac.slice(0, 2), 16) & 1)
    throw new YardError("address.bad-mac", `"${text}" is a multicast MAC address; a nic needs a unicast one`);
  if (mac === "00:00:00:00:00:00") throw new YardError("address.bad-mac", "the all-zero MAC address cannot be used");
  return mac as Mac;
}

/** Four decimal bytes without leading zeros. */
const PLAIN_IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** @throws YardError `address.bad-ip` */
export function parseIp(text: string): Ip {
  // Most are these, and canonical as they stand.
  if (PLAIN_IPV4.test(text)) return text as Ip;
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text))
    throw new YardError("address.bad-ip", `"${text}" is not an IPv4 or IPv6 address`);
  return canonical(ipaddr.parse(text)) as Ip;
}

/** @throws YardError `address.bad-cidr` unless `ADDRESS/PREFIX` with a prefix length that fits the family */
export function parseCidr(text: string): Cidr {
  const [address, prefix, ...rest] = text.split("/");
  if (address === undefined || prefix === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefix))
    throw new YardError("address.bad-cidr", `"${text}" is not an address with a prefix length such as 10.1.0.1/24`);
  const ip = parseIp(address);
  if (Number(prefix) > familyBits(ip))
    throw new YardError("address.bad-cidr", `"${text}" has a prefix length over ${familyBits(ip)}`);
  return `${ip}/${Number(prefix)}` as Cidr;
}

/** 4 or 6. */
export function family(address: Ip | Cidr): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

/** The address part of `10.1.0.1/24`. */
export function addressOf(cidr: Cidr): Ip {
  return cidr.slice(0, cidr.indexOf("/")) as Ip;
}

/** The prefix length of `10.1.0.1/24`. */
export function prefixOf(cidr: Cidr): number {
  return Number(cidr.slice(cidr.indexOf("/") + 1));
}

/** The network of `10.1.0.1/24`: `10.1.0.0/24`. */
export function networkOf(cidr: Cidr): Cidr {
  const bits = BigInt(familyBits(cidr));
  const shift = bits - BigInt(prefixOf(cidr));
  return `${fromNumber((toNumber(addressOf(cidr)) >> shift) << shift, family(cidr))}/${prefixOf(cidr)}` as Cidr;
}

/** Whether `ip` lies in the network of `cidr`. */
export function contains(cidr: Cidr, ip: Ip): boolean {
  if (family(cidr) !== family(ip)) return false;
  const shift = BigInt(familyBits(cidr) - prefixOf(cidr));
  return toNumber(addressOf(cidr)) >> shift === toNumber(ip) >> shift;
}

/** Whether the networks of two CIDRs share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return prefixOf(a) <= prefixOf(b) ? contains(a, addressOf(b)) : contains(b, addressOf(a));
}

/**
 * The `n`th address of the network of `cidr` (`n` = 1 is the first host), with that network's prefix length.
 *
 * @throws YardError `address.outside-network` when the network has no host address `n` (the network address and, for
 * IPv4 prefixes shorter than /31, the broadcast address are no hosts)
 */
export function nthHost(cidr: Cidr, n: number): Cidr {
  const width = familyBits(cidr) - prefixOf(cidr);
  const last = (1n << BigInt(width)) - (family(cidr) === 4 && width > 1 ? 2n : 1n);
  if (!Number.isInteger(n) || n < 1 || BigInt(n) > last)
    throw new YardError("address.outside-network", `${networkOf(cidr)} has no host number ${n}; the last is ${last}`);
  const base = toNumber(addressOf(networkOf(cidr)));
  return `${fromNumber(base + BigInt(n), family(cidr))}/${prefixOf(cidr)}` as Cidr;
}

/** The number that an address is, in network byte order. */
export function toNumber(ip: Ip): bigint {
  if (family(ip) === 4) return BigInt(ip.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0));
  return ipaddr
    .parse(ip)
    .toByteArray()
    .reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The address that a number is: the inverse of {@link toNumber}. */
export function fromNumber(value: bigint, version: 4 | 6): Ip {
  if (version === 4) {
    const bits = Number(value);
    return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join(".") as Ip;
  }
  const bytes = Array.from({ length: 16 }, (_, i) => Number((value >> BigInt(8 * (15 - i))) & 0xffn));
  return canonical(ipaddr.fromByteArray(bytes)) as Ip;
}

/** The bytes of an address in network order: 4 or 16 of them. */
export function ipBytes(ip: Ip): Uint8Array {
  return Uint8Array.from(ipaddr.parse(ip).toByteArray());
}

function familyBits(address: Ip | Cidr): number {
  return family(address) === 4 ? 32 : 128;
}

function canonical(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return address.kind() === "ipv6" ? (address as ipaddr.IPv6).toRFC5952String() : address.toString();
}
