import {
  addressOf,
  contains,
  family,
  type Ip,
  type Mac,
  nthHost,
  parseCidr,
  prefixOf,
  YardError,
} from "@switchyard/base";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import type { NetworkSpec, NicSpec } from "./types.ts";

/** One layer-2 segment, a network or a link: who has which address on it. */
class Segment {
  readonly ips = new Map<Ip, string>();
  readonly macs = new Map<Mac, string>();
  readonly slots = new Map<number, string>();
  /** The nics that the allocator is to serve: how many, and where the last was written. */
  allocated = 0;
  last: Path | undefined;
}

/** The addresses of all segments, gathered nic by nic; two that are the same are told at the second. */
export class Segments {
  private readonly segments = new Map<string, Segment>();

  constructor(
    private readonly reading: Reading,
    private readonly networks: ReadonlyMap<string, NetworkSpec>,
  ) {
    for (const { name, gateway } of networks.values())
      for (const ip of gateway) this.segment(`network ${name}`).ips.set(ip, `the gateway of network "${name}"`);
  }

  /**
   * Enters a nic.
   *
   * @param owner what it is called in a message
   * @param path where the nic is written
   */
  add(nic: NicSpec, owner: string, path: Path): void {
    const network = nic.network === undefined ? undefined : this.networks.get(nic.network);
    const segment = this.segment(nic.network === undefined ? `link ${nic.link}` : `network ${nic.network}`);
    if (nic.mac !== undefined) this.addMac(segment, nic.mac, owner, [...path, "mac"]);
    for (const [index, cidr] of (nic.ip ?? []).entries())
      this.addIp(segment, addressOf(cidr), owner, this.element([...path, "ip"], index));
    if (nic.slot !== undefined) this.addSlot(segment, nic, nic.slot, network, owner, [...path, "slot"]);
    else if (nic.ip === undefined && network !== undefined && network.cidr.length > 0) {
      segment.allocated++;
      segment.last = path;
    }
  }

  /** Tells which networks have fewer host addresses than their nics need. */
  checkRoom(): void {
    for (const network of this.networks.values()) {
      const segment = this.segment(`network ${network.name}`);
      for (const cidr of network.cidr) {
        const width = BigInt((family(cidr) === 4 ? 32 : 128) - prefixOf(cidr));
        const hosts =
          width > 20n ? Number.MAX_SAFE_INTEGER : Number(2n ** width) - (family(cidr) === 4 && width > 1n ? 2 : 1);
        let taken = 0;
        if (segment.allocated + segment.ips.size > hosts)
          for (const ip of segment.ips.keys()) if (contains(cidr, ip)) taken++;
        if (segment.allocated + taken > hosts)
          this.reading.places.report(
            segment.last ?? ["networks", network.name],
            () =>
              new YardError(
                "network.full",
                `${cidr} of network "${network.name}" has ${hosts} host addresses, ${taken} of them named, and ${segment.allocated} nics need one`,
                { hint: "give the network a larger cidr" },
              ),
          );
      }
    }
  }

  private segment(key: string): Segment {
    const segment = this.segments.get(key) ?? new Segment();
    this.segments.set(key, segment);
    return segment;
  }

  private element(path: Path, index: number): Path {
    return this.reading.places.node(path)?.items === undefined ? path : [...path, index];
  }

  private addMac(segment: Segment, mac: Mac, owner: string, path: Path): void {
    const other = segment.macs.get(mac);
    if (other === undefined) segment.macs.set(mac, owner);
    else
      this.reading.places.report(
        path,
        () =>
          new YardError("nic.duplicate-mac", `${other} has the MAC address ${mac} already`, {
            hint: "leave `mac` out to get one that is free",
          }),
      );
  }

  private addIp(segment: Segment, ip: Ip, owner: string, path: Path): void {
    const other = segment.ips.get(ip);
    if (other === undefined) segment.ips.set(ip, owner);
    else
      this.reading.places.report(
        path,
        () =>
          new YardError("nic.duplicate-ip", `${other} has the address ${ip} already`, {
            hint: "on a network, each address may be there once",
          }),
      );
  }

  private addSlot(
    segment: Segment,
    nic: NicSpec,
    slot: number,
    network: NetworkSpec | undefined,
    owner: string,
    path: Path,
  ): void {
    const other = segment.slots.get(slot);
    if (other !== undefined) {
      this.reading.places.report(
        path,
        () =>
          new YardError("nic.slot-taken", `${other} has slot ${slot} already`, {
            hint: "on a network, each slot may be there once",
          }),
      );
      return;
    }
    segment.slots.set(slot, owner);
    if (nic.ip !== undefined || (network !== undefined && this.reading.unsure(["networks", network.name, "cidr"])))
      return;
    if (network === undefined || network.cidr.length === 0) {
      const where = network === undefined ? "a link" : `network "${network.name}"`;
      this.reading.places.report(
        path,
        () =>
          new YardError("nic.slot-without-cidr", `slot ${slot} fixes no address, for ${where} has no cidr`, {
            hint:
              network === undefined
                ? "name the address with `ip`"
                : `give network "${network.name}" a cidr, or name the address with \`ip\``,
          }),
      );
      return;
    }
    for (const cidr of network.cidr) {
      let ip: Ip;
      try {
        ip = addressOf(nthHost(cidr, slot));
      } catch (thrown) {
        if (!(thrown instanceof YardError)) throw thrown;
        this.reading.places.report(
          path,
          () =>
            new YardError("nic.slot-outside", `slot ${slot} is outside network "${network.name}": ${thrown.message}`),
        );
        return;
      }
      const holder = segment.ips.get(ip);
      if (holder === undefined) segment.ips.set(ip, owner);
      else
        this.reading.places.report(
          path,
          () =>
            new YardError("nic.slot-taken", `slot ${slot} means the address ${ip}, which ${holder} has already`, {
              hint: "take another slot",
            }),
        );
    }
  }
}

/**
 * The address of a nic with its prefix length, which the network's subnet lends where it is not written.
 *
 * @param network undefined for the nic of a link
 * @throws YardError `address.bad-ip`, `address.bad-cidr`, `nic.prefix-missing`, `nic.ip-outside-network`
 */
export function nicAddress(written: string, network: NetworkSpec | undefined) {
  const bare = !written.includes("/");
  const address = parseCidr(bare ? `${written}/${written.includes(":") ? 128 : 32}` : written);
  const ip = addressOf(address);
  const subnets = network?.cidr.filter((cidr) => family(cidr) === family(ip)) ?? [];
  const subnet = subnets.find((cidr) => contains(cidr, ip));
  if (network !== undefined && subnets.length > 0 && subnet === undefined)
    throw new YardError(
      "nic.ip-outside-network",
      `${ip} is not in ${subnets.join(", ")}, the cidr of network "${network.name}"`,
      {
        hint: `take an address of ${subnets[0]}, or leave the cidr out of the network`,
      },
    );
  if (!bare) return address;
  if (subnet === undefined)
    throw new YardError(
      "nic.prefix-missing",
      `the address ${ip} has no prefix length, and ${network === undefined ? "a link" : `network "${network.name}"`} has no cidr to take it from`,
      {
        hint: `write ${ip}/${family(ip) === 4 ? 24 : 64}, or what the prefix length is`,
      },
    );
  return parseCidr(`${ip}/${prefixOf(subnet)}`);
}
