/** Gives nics their addresses and MACs. Pure but for the segments, which take down what they give. */
import { addressOf, type Cidr, type Ip, type Mac, parseCidr, YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import type { NetworkType, NicSpec } from "../model/types.ts";
import { belongsTo, derivedMacs, type Segment, slotAddresses, slotMac } from "./addresses.ts";
import type { NicRow } from "./switchyard.gen.ts";

/** A network that nics may attach to. */
export interface Target {
  readonly name: string;
  readonly uuid: Uuid;
  readonly cidr: readonly Cidr[];
  readonly gateway: readonly Ip[];
  readonly type: NetworkType;
}

/** A nic on its way to its row. */
export interface Placing {
  readonly spec: NicSpec;
  /** What there is of it already. */
  readonly row: NicRow | undefined;
  /** `web:eth0` */
  readonly holder: string;
  readonly objId: number;
  readonly index: number;
  readonly target: Target | undefined;
  /** Decided here. */
  readonly addresses: Cidr[];
  /** Decided here, unless it is already. */
  mac: Mac | undefined;
}

/**
 * First come those who ask for certain addresses, then those who have some that still fit, then the others, each in
 * the order given.
 *
 * @returns what could not be given
 */
export function assign(nics: readonly Placing[], segments: ReadonlyMap<Uuid, Segment>, yard: string): YardError[] {
  const errors: YardError[] = [];
  const attempt = (part: () => void) => {
    try {
      part();
    } catch (error) {
      if (!(error instanceof YardError)) throw error;
      errors.push(error);
    }
  };
  const segmentOf = (nic: Placing) => (nic.target === undefined ? undefined : segments.get(nic.target.uuid));

  for (const nic of nics) attempt(() => segmentOf(nic)?.enter(nic.holder));
  for (const nic of nics) for (const ip of nic.spec.gateway ?? []) segmentOf(nic)?.reserve(ip);
  for (const nic of nics) attempt(() => takeAsked(nic, segmentOf(nic)));
  const open = nics.flatMap((nic) => keepFitting(nic, segmentOf(nic)));
  for (const { nic, segment, cidr } of open) attempt(() => nic.addresses.push(segment.allocate(cidr, nic.holder)));
  const derivedMac = derivedMacs(yard);
  for (const nic of nics) {
    if (nic.mac !== undefined) continue;
    const mac = derivedMac(nic.objId, nic.index);
    nic.mac = mac;
    attempt(() => segmentOf(nic)?.takeMac(mac, nic.holder));
  }
  return errors;
}

/** The lowest number from 0 that is not used. */
export function lowestFree(used: ReadonlySet<number>): number {
  let n = 0;
  while (used.has(n)) n++;
  return n;
}

function takeAsked(nic: Placing, segment: Segment | undefined): void {
  const { ip, slot } = nic.spec;
  const bySlot = slot === undefined ? undefined : slotAddresses(nic.target?.cidr ?? [], slot);
  for (const address of ip ?? bySlot ?? []) {
    nic.addresses.push(address);
    segment?.takeIp(addressOf(address), nic.holder);
  }
  nic.mac ??= bySlot && slotMac(bySlot);
  if (nic.mac !== undefined) segment?.takeMac(nic.mac, nic.holder);
}

/** @returns the subnets in which the nic needs an address and has none that it could keep */
function keepFitting(nic: Placing, segment: Segment | undefined) {
  if (segment === undefined || nic.spec.ip !== undefined || nic.spec.slot !== undefined) return [];
  const had = [...(nic.row?.addresses ?? [])].map(parseCidr);
  return (nic.target?.cidr ?? []).flatMap((cidr) => {
    const kept = had.find((address) => belongsTo(address, cidr) && segment.isFree(addressOf(address)));
    if (kept === undefined) return [{ nic, segment, cidr }];
    segment.takeIp(addressOf(kept), nic.holder);
    nic.addresses.push(kept);
    return [];
  });
}
