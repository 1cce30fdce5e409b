/** What DHCP servers have granted to nics: each client leaves it in a file, under the name of its service. */
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Cidr, type Ip, parseCidr, parseIp } from "@switchyard/base";
import { watchFolder } from "@switchyard/linux";
import { leasesFolder } from "./names.ts";

/** Debian's nobody and nogroup, as whom clients run. */
export const NOBODY = 65534;

/** A nic's lease (RFC 2131). */
export interface Lease {
  readonly address: Cidr;
  readonly server: Ip | undefined;
  /** Routers, in the server's order (option 3). */
  readonly gateway: readonly Ip[];
  /** Name servers (option 6). */
  readonly dns: readonly Ip[];
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/** The leases that there are, by the client's id. What a server wrote that is no address is left out. */
export function readLeases(run: string): Map<string, Lease> {
  const leases = new Map<string, Lease>();
  const folder = leasesFolder(run);
  for (const id of entries(folder)) {
    const lease = id.endsWith(".new") ? undefined : readLease(join(folder, id));
    if (lease !== undefined) leases.set(id, lease);
  }
  return leases;
}

/** Removes what is left of clients that are not wanted any more. */
export function forgetLeases(run: string, wanted: (id: string) => boolean): void {
  const folder = leasesFolder(run);
  for (const id of entries(folder)) if (!wanted(id.replace(/\.new$/, ""))) rmSync(join(folder, id), { force: true });
}

/** Calls `listener` when a lease was granted, renewed or lost. The folder is made: clients write there as nobody. */
export function watchLeases(run: string, listener: () => void): Disposable {
  const folder = leasesFolder(run);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  chownSync(folder, NOBODY, NOBODY);
  return watchFolder(folder, listener);
}

function readLease(path: string): Lease | undefined {
  const values = new Map(
    read(path)
      .split("\n")
      .map((line): [string, string] => {
        const [key = "", ...rest] = line.split(" ");
        return [key, rest.join(" ")];
      }),
  );
  const list = (key: string) => (values.get(key) ?? "").split(" ").flatMap((text) => attempt(parseIp, text) ?? []);
  const address = attempt(parseCidr, values.get("address") ?? "");
  const expires = Number(values.get("expires"));
  if (address === undefined || !Number.isSafeInteger(expires) || expires <= 0) return undefined;
  return { address, server: list("server")[0], gateway: list("gateway"), dns: list("dns"), expires: expires * 1000 };
}

/** A file that goes at this moment is as one that is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function attempt<R>(parse: (text: string) => R, text: string): R | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
