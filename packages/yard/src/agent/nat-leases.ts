/** What a nat has leased, as its dnsmasq(8) keeps it. */
import { readFileSync } from "node:fs";

export interface NatLease {
  readonly address: string;
  /** Undefined where a client of DHCPv6 is known by what does not tell it (RFC 8415, 11.4). */
  readonly mac: string | undefined;
  /** What the client calls itself. */
  readonly name: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/**
 * Reads the file of leases: expiry, MAC, address, name and id of a client in a line; those of DHCPv6, after the server's
 * own id, have an identity association in place of the MAC (lease.c of dnsmasq). There is no file until somebody has
 * asked.
 */
export function readNatLeases(path: string): NatLease[] {
  return read(path)
    .split("\n")
    .flatMap((line): NatLease[] => {
      const [expires = "", key = "", address, name = "*", id = ""] = line.split(" ");
      if (!/^\d+$/.test(expires) || address === undefined) return [];
      const mac = address.includes(":") ? macOf(id) : key;
      return [{ address, mac, name: name === "*" ? undefined : name, expires: Number(expires) * 1000 }];
    });
}

/** Of an id that is made of an Ethernet address: DUID-LLT (1), after its time, or DUID-LL (3). */
function macOf(id: string): string | undefined {
  return /^00:0(?:1:00:01:(?:..:){4}|3:00:01:)((?:..:){5}..)$/.exec(id)?.[1];
}

/** A file that is not there is one without leases. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
