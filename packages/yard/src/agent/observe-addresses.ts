import type { LinkAddress } from "@switchyard/linux";

/** Addresses that we made, and those that somebody made as we would have; canonical and sorted. */
export function ours(present: readonly LinkAddress[], wanted: readonly string[]): string[] {
  return present
    .filter((it) => it.ours || wanted.includes(it.address))
    .map((it) => String(it.address))
    .sort();
}
