import { isVersion, NEWEST, VERSIONS } from "./versions.ts";

/** The answer to VERSION, whatever came on standard input: a runtime asks before it knows anything. */
export function versionReport(input: string): string {
  let cniVersion: string = NEWEST;
  try {
    const told: unknown = JSON.parse(input)?.cniVersion;
    if (isVersion(told)) cniVersion = told;
  } catch {}
  return JSON.stringify({ cniVersion, supportedVersions: VERSIONS });
}
