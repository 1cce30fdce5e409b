/** Nets and the yards that they are. */
import { YardError } from "@switchyard/base";
import { CLOONIX_PREFIX } from "@switchyard/yard/paths";

/** The names under which the executable is one of cloonix's commands. */
export const NAMES = [
  "cloonix_net",
  "cloonix_cli",
  "cloonix_ovs",
  "cloonix_ssh",
  "cloonix_scp",
  "cloonix_wsk",
  "cloonix_shk",
] as const;
export type CloonixName = (typeof NAMES)[number];

/** The yard of a net. @throws YardError `cloonix.bad-net` */
export function yardOf(net: string): string {
  if (/^[a-z][a-z0-9-]{0,22}$/.test(net)) return `${CLOONIX_PREFIX}${net}`;
  throw new YardError("cloonix.bad-net", `"${net}" cannot be the name of a net`, {
    hint: "a lower-case letter, then letters, digits and -, 23 at most; cloonix's own are nemo, mito, fido …",
  });
}

/** The net that a yard is; undefined for other yards. */
export function netOf(yard: string): string | undefined {
  return yard.startsWith(CLOONIX_PREFIX) ? yard.slice(CLOONIX_PREFIX.length) : undefined;
}
