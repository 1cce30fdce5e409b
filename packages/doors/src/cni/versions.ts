/** Versions of the CNI specification. */
import { YardError } from "@switchyard/base";

export const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type Version = (typeof VERSIONS)[number];

/** What a configuration without `cniVersion` is of. */
export const OLDEST: Version = "0.1.0";
export const NEWEST: Version = "1.1.0";

export function isVersion(text: unknown): text is Version {
  return VERSIONS.some((version) => version === text);
}

export function isAtLeast(version: Version, other: Version): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(other);
}

/** The commands that later versions brought. */
const since: Readonly<Record<string, Version>> = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" };

/** @throws YardError `cni.incompatible-version` for a command that the configuration's version does not have */
export function checkCommandVersion(command: string, version: Version): void {
  const first = since[command];
  if (first !== undefined && !isAtLeast(version, first))
    throw new YardError(
      "cni.incompatible-version",
      `${command} came with CNI ${first}, and the network configuration is of ${version}`,
    );
}
