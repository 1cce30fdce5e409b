/** The sysctls of network namespaces, through /proc/sys, which shows those of the thread's namespace. */
import { readFileSync, writeFileSync } from "node:fs";
import { sysctlPath } from "./names.ts";
import { inNamespace } from "./namespaces.ts";
import type { NamespaceRef } from "./types.ts";

/** Why a sysctl could not be set. */
export interface SysctlFailure {
  readonly name: string;
  /** The kernel's errno name: `ENOENT` unknown here, `EINVAL` a value that it does not take. */
  readonly errno: string;
  readonly message: string;
}

/**
 * Sets sysctls in their order; each is tried whatever became of those before it.
 *
 * @throws YardError `sysctl.bad-name` before anything is done, `namespace.missing`, `namespace.not-permitted`
 */
export function setSysctls(namespace: NamespaceRef, values: Readonly<Record<string, string>>): SysctlFailure[] {
  const files = Object.entries(values).map(([name, value]) => ({ name, value, path: `/proc/sys/${sysctlPath(name)}` }));
  if (files.length === 0) return [];
  return inNamespace(namespace, () => {
    const failures: SysctlFailure[] = [];
    for (const { name, value, path } of files) {
      try {
        // Never made: a file that is not there is a sysctl that the kernel does not have.
        writeFileSync(path, value, { flag: "r+" });
      } catch (error) {
        const errno = errnoOf(error);
        failures.push({ name, errno, message: explain(name, value, errno) });
      }
    }
    return failures;
  });
}

/**
 * Reads sysctls as the kernel writes them, tabs between several numbers; those that it does not have are left out.
 *
 * @throws YardError `sysctl.bad-name`, `namespace.missing`, `namespace.not-permitted`
 */
export function readSysctls(namespace: NamespaceRef, names: readonly string[]): Record<string, string> {
  const files = names.map((name) => ({ name, path: `/proc/sys/${sysctlPath(name)}` }));
  const values: Record<string, string> = {};
  if (files.length === 0) return values;
  inNamespace(namespace, () => {
    for (const { name, path } of files) {
      try {
        values[name] = readFileSync(path, "utf8").trimEnd();
      } catch (error) {
        const errno = errnoOf(error);
        if (errno !== "ENOENT" && errno !== "EACCES") throw error;
      }
    }
  });
  return values;
}

function errnoOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  throw error;
}

function explain(name: string, value: string, errno: string): string {
  switch (errno) {
    case "ENOENT":
      return `the kernel has no sysctl ${name} in this namespace`;
    case "EINVAL":
    case "ERANGE":
      return `the sysctl ${name} does not take the value ${JSON.stringify(value)}`;
    case "EACCES":
    case "EPERM":
      return `the sysctl ${name} cannot be changed`;
    default:
      return `the sysctl ${name} could not be set: ${errno}`;
  }
}
