/** Who has which address and which MAC on a network, and which is free. */
import {
  addressOf,
  type Cidr,
  contains,
  family,
  fromNumber,
  type Ip,
  ipBytes,
  type Mac,
  networkOf,
  nthHost,
  parseCidr,
  parseMac,
  prefixOf,
  toNumber,
  YardError,
} from "@switchyard/base";
import { digest } from "./canonical.ts";

/** One network's addresses. A holder is a nic as people write it, `web:eth0`, or the network's gateway. */
export class Segment {
  readonly #network: string;
  readonly #ips = new Map<Ip, string>();
  readonly #macs = new Map<Mac, string>();
  readonly #reserved = new Set<Ip>();
  /** For each subnet the number of the host from which on none has been looked at. */
  readonly #next = new Map<Cidr, bigint>();

  /** Of a network that only one nic can be on. */
  #sole: string | undefined;

  /** @param passthrough whether it is a NIC, which only one nic can be */
  constructor(
    network: string,
    gateway: readonly Ip[],
    private readonly passthrough = false,
  ) {
    this.#network = network;
    for (const ip of gateway) this.#ips.set(ip, "the network's gateway");
  }

  /** Keeps the allocator off an address that somebody names as a next hop, without giving it to anyone. */
  reserve(ip: Ip): void {
    this.#reserved.add(ip);
  }

  /** @throws YardError `nic.passthrough-taken` */
  enter(holder: string): void {
    if (!this.passthrough) return;
    const other = this.#sole;
    if (other !== undefined && other !== holder)
      throw new YardError("nic.passthrough-taken", `${other} is the NIC of network ${this.#network} already`, {
        hint: `${holder} needs another NIC, or a network of type macvlan for both`,
      });
    this.#sole = holder;
  }

  isFree(ip: Ip): boolean {
    return !this.#ips.has(ip);
  }

  /** @throws YardError `nic.ip-taken` */
  takeIp(ip: Ip, holder: string): void {
    const other = this.#ips.get(ip);
    if (other !== undefined && other !== holder)
      throw new YardError(
        "nic.ip-taken",
        `the address ${ip} of ${holder} belongs to ${other} on network ${this.#network}`,
        {
          hint: "give one of them another address, or none to have it chosen",
        },
      );
    this.#ips.set(ip, holder);
  }

  /** @throws YardError `nic.mac-taken` */
  takeMac(mac: Mac, holder: string): void {
    const other = this.#macs.get(mac);
    if (other !== undefined && other !== holder)
      throw new YardError(
        "nic.mac-taken",
        `the MAC ${mac} of ${holder} belongs to ${other} on network ${this.#network}`,
        {
          hint: "give one of them another MAC, or none to have it derived",
        },
      );
    this.#macs.set(mac, holder);
  }

  /**
   * Takes the lowest free host address of a subnet.
   *
   * @throws YardError `network.addresses-exhausted`
   */
  allocate(cidr: Cidr, holder: string): Cidr {
    const version = family(cidr);
    const width = BigInt((version === 4 ? 32 : 128) - prefixOf(cidr));
    const last = (1n << width) - (version === 4 && width > 1n ? 2n : 1n);
    const base = toNumber(addressOf(networkOf(cidr)));
    for (let n = this.#next.get(cidr) ?? 1n; n <= last; n++) {
      const ip = fromNumber(base + n, version);
      if (this.#ips.has(ip) || this.#reserved.has(ip)) continue;
      this.#ips.set(ip, holder);
      this.#next.set(cidr, n + 1n);
      return parseCidr(`${ip}/${prefixOf(cidr)}`);
    }
    throw new YardError(
      "network.addresses-exhausted",
      `network ${this.#network} has no free address in ${cidr} for ${holder}`,
      { hint: "give the network a wider cidr" },
    );
  }
}

/**
 * The addresses of a slot: the nth host of every subnet.
 *
 * @throws YardError `address.outside-network`
 */
export function slotAddresses(cidrs: readonly Cidr[], slot: number): readonly Cidr[] {
  return cidrs.map((cidr) => nthHost(cidr, slot));
}

/** The MAC of a slot: `52:00` and the IPv4 address; undefined without one. */
export function slotMac(addresses: readonly Cidr[]): Mac | undefined {
  const address = addresses.find((cidr) => family(cidr) === 4);
  return address && macOf([0x52, 0, ...ipBytes(addressOf(address))]);
}

/**
 * The MACs of nics that ask for none: 02, two bytes of the yard's name, two of the obj_id, one of the nic's index (whose
 * upper bits lie in the first byte above the two that mark a local unicast address).
 */
export function derivedMacs(yard: string): (objId: number, index: number) => Mac {
  const mark = Number.parseInt(digest(yard, 4), 16);
  return (objId, index) =>
    macOf([2 | ((index >> 8) << 2), mark >> 8, mark & 0xff, objId >> 8, objId & 0xff, index & 0xff]);
}

/** Whether `address` is one that could be allocated from `cidr`. */
export function belongsTo(address: Cidr, cidr: Cidr): boolean {
  return prefixOf(address) === prefixOf(cidr) && contains(cidr, addressOf(address));
}

function macOf(bytes: readonly number[]): Mac {
  return parseMac(bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":"));
}
