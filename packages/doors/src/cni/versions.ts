/** Versions of the CNI specification. Nothing is imported: the answer to VERSION takes no more than its start. */

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
