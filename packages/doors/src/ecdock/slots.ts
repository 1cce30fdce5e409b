/** What a slot fixes: names, addresses, MACs, numbers. Pure. */
import { addressOf, type Cidr, type Ip, type Mac, nthHost, parseCidr, parseMac, YardError } from "@switchyard/base";
import { slotMac } from "@switchyard/yard/store";

/** The slots of a switch are numbered from 1. */
export const LAST_SLOT = 127;
/** The OpenFlow port of the device that a vswitch is connected to: 0xfeed. */
export const DEVICE_OFPORT = 65_261;
/** What is added to a slot for the OpenFlow port of its second nic. */
const SECOND = 30_000;

/** A switch as its slots see it. */
export interface Vswitch {
  readonly name: string;
  /** Its own address, with the subnet that slots are of. */
  readonly address: Cidr;
  /** What stands before `::<IPv4 address>`; empty: no IPv6. */
  readonly ipv6Prefix: string;
}

/** One nic of a slot. */
export interface Nic {
  /** The port's name, and for the first nic the container's. */
  readonly port: string;
  readonly ofport: number;
  readonly mac: Mac;
}

export interface Slot extends Nic {
  readonly addresses: readonly Cidr[];
  readonly gateway: Ip;
  /** With `--dual-nic`. */
  readonly second: Nic;
}

/** @throws YardError `ec.bad-slot` where the subnet has no such host, or it is the switch itself */
export function slotOf(vswitch: Vswitch, slot: number): Slot {
  const address = slotAddress(vswitch, slot);
  const mac = slotMac([address]);
  if (mac === undefined) throw new YardError("ec.bad-slot", `${vswitch.name} has no IPv4 address`);
  const number = String(slot).padStart(2, "0");
  return {
    port: `${vswitch.name}-s${number}`,
    ofport: slot,
    mac,
    addresses: [address, ...ipv6(vswitch.ipv6Prefix, addressOf(address))],
    gateway: addressOf(vswitch.address),
    second: {
      port: `${vswitch.name}-o${number}`,
      ofport: SECOND + slot,
      mac: parseMac(mac.replace(/^52:00/, "52:80")),
    },
  };
}

/** The number of the slot whose port it is; undefined for any other name. */
export function slotOfPort(vswitch: string, port: string): number | undefined {
  const text = port.startsWith(`${vswitch}-s`) ? port.slice(vswitch.length + 2) : "";
  return /^\d{2,3}$/.test(text) ? Number(text) : undefined;
}

/** The MAC of the switch itself follows the same rule. */
export function vswitchMac({ address }: Vswitch): Mac | undefined {
  return slotMac([address]);
}

/** `2001:db8::10.0.0.1/64` */
export function ipv6(prefix: string, ip: Ip): Cidr[] {
  return prefix === "" ? [] : [parseCidr(`${prefix.replace(/:+$/, "")}::${ip}/64`)];
}

function slotAddress({ name, address }: Vswitch, slot: number): Cidr {
  try {
    const own = nthHost(address, slot);
    if (own !== address) return own;
  } catch (cause) {
    throw new YardError("ec.bad-slot", `the subnet ${address} of ${name} has no slot ${slot}`, { cause });
  }
  throw new YardError("ec.bad-slot", `slot ${slot} of ${name} is the switch itself, ${address}`, {
    hint: "take another slot, or leave --slot= out",
  });
}
