/** Networks of type zerotier, and the nics on them, whose addresses are the business of the network's controller. */
import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import type { Spelled } from "./nic-spelling.ts";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import type { NetworkFile } from "./schema.ts";
import type { NicFile } from "./schema-nics.ts";
import type { NetworkSpec } from "./types.ts";

const HINT = '16 hexadecimal digits, in quotes: "8056c2e21c000001"';

/** @throws YardError `network.bad-nwid` */
export function parseNwid(text: string): string {
  if (/^[0-9a-f]{16}$/i.test(text)) return text.toLowerCase();
  throw new YardError("network.bad-nwid", `"${text}" is no number of a ZeroTier network`, { hint: HINT });
}

/** The network's number, 16 hexadecimal digits in lower case. */
export function readNwid(name: string, written: NetworkFile, reading: Reading): string {
  const path = ["networks", name];
  const read = reading.parse([...path, "nwid"], written.nwid, (text) => {
    if (text === undefined)
      throw new YardError("network.nwid-missing", `network "${name}" of type zerotier needs an "nwid"`, {
        hint: HINT,
      });
    return parseNwid(text);
  });
  for (const key of ["cidr", "gateway", "mtu"] as const)
    if (written[key] !== undefined)
      reading.places.reportKey([...path, key], () => managed("network.managed", key, `network "${name}"`));
  return read ?? "";
}

/** What a nic on such a network cannot say, and nobody else's nic. */
const DECIDED = [
  "ip",
  "mac",
  "slot",
  "gateway",
  "dhcp",
  "mtu",
  "vlan",
  "trunks",
  "routes",
  "spy",
  "monitor",
  "impair",
] as const;

export function checkZerotierNic({ file, at }: Spelled, network: NetworkSpec | undefined, reading: Reading): void {
  if (network?.type === "zerotier") {
    for (const key of DECIDED)
      if (file[key] !== undefined && file[key] !== false)
        reading.places.reportKey(at(key), () => managed("nic.managed", key, "a nic of it"));
  } else if (file.identity !== undefined && network !== undefined)
    reading.places.reportKey(
      at("identity"),
      () => new YardError("nic.managed", `"identity" is for nics on a network of type zerotier`),
    );
}

/** The file of the identity that the node has on ZeroTier's networks, absolute. */
export function readIdentity(file: NicFile, path: Path, count: number, reading: Reading): string | undefined {
  if (file.identity === undefined) return undefined;
  return reading.parse([...path, "identity"], file.identity, (text) => {
    if (count > 1)
      throw new YardError("nic.counted-identity", `${count} nodes cannot share one identity`, { hint: "leave it out" });
    return resolve(reading.folder, text);
  });
}

function managed(code: "network.managed" | "nic.managed", key: string, what: string): YardError {
  const hint = "take it out";
  const message = `"${key}" of ${what} is decided by the controller of the ZeroTier network`;
  switch (code) {
    case "network.managed":
      return new YardError("network.managed", message, { hint });
    case "nic.managed":
      return new YardError("nic.managed", message, { hint });
  }
}
