/** The rows of bridges of the kernel's own. */
import { type Ip, type Mac, parseIp, parseMac, YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import { type BridgeService, type BridgeSpec, readBridge } from "../model/bridges.ts";
import { type BridgeStatus, bridgeStatus } from "./status.ts";
import type { BridgeRow } from "./switchyard.gen.ts";

/** A bridge as the store has it. */
export interface BridgeEntry extends BridgeSpec {
  readonly uuid: Uuid;
  readonly host: string;
  /** Addresses that are leased to one MAC alone, sorted by address. */
  readonly pins: readonly { readonly ip: Ip; readonly mac: Mac }[];
  /** NICs of the host that are members, by name. */
  readonly members: readonly string[];
  readonly status: BridgeStatus;
}

/** The row of a bridge, read. @throws YardError `store.bad-row` */
export function bridgeEntry(row: BridgeRow, host: string): BridgeEntry {
  try {
    return {
      uuid: row._uuid,
      name: row.name,
      host,
      mac: row.mac === "" ? undefined : parseMac(row.mac),
      service: serviceOf(row),
      nat: row.nat,
      pins: [...row.pins].toSorted().map(([ip, mac]) => ({ ip: parseIp(ip), mac: parseMac(mac) })),
      members: [...row.members].toSorted(),
      status: bridgeStatus(row.status),
    };
  } catch (cause) {
    const where = `Bridge ${row.name}`;
    throw new YardError("store.bad-row", `${where}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
      where,
    });
  }
}

/** The `service` column. */
export function serviceColumn(service: BridgeService): ReadonlyMap<string, string> {
  return new Map(Object.entries(service));
}

/** The inverse of {@link serviceColumn}. @throws YardError those of `readBridge` */
export function serviceOf({ name, service }: BridgeRow): BridgeService {
  const { mode, cidr, start, end } = Object.fromEntries(service);
  return readBridge({ name, mode, cidr, start, end }).service;
}
