/** The sysctls of network namespaces, through /proc/sys, which shows those of the thread's namespace. */
import { readFileSync, writeSync } from "node:fs";
import { errnoOf } from "@switchyard/base";
import { Excursion, openNamespace } from "./excursion.ts";
import { libc, O_RDONLY, O_WRONLY, SystemCallError } from "./ffi.ts";
import { sysctlPath } from "./names.ts";
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
  const failures: SysctlFailure[] = [];
  eachFile(namespace, files, O_WRONLY, (fd, { name, value }, errno) => {
    const failure = errno ?? (fd === undefined ? undefined : attempt(() => writeSync(fd, value)));
    if (failure !== undefined) failures.push({ name, errno: failure, message: explain(name, value, failure) });
  });
  return failures;
}

/**
 * Reads sysctls as the kernel writes them, tabs between several numbers; those that it does not have are left out.
 *
 * @throws YardError `sysctl.bad-name`, `namespace.missing`, `namespace.not-permitted`
 */
export function readSysctls(namespace: NamespaceRef, names: readonly string[]): Record<string, string> {
  const files = names.map((name) => ({ name, path: `/proc/sys/${sysctlPath(name)}` }));
  const values: Record<string, string> = {};
  eachFile(namespace, files, O_RDONLY, (fd, { name }) => {
    if (fd !== undefined) values[name] = readFileSync(fd, "utf8").trimEnd();
  });
  return values;
}

/** Opens each file in the namespace, never making one, and closes it after `use`, which gets it or the reason. */
function eachFile<T extends { readonly path: string }>(
  namespace: NamespaceRef,
  files: readonly T[],
  flags: number,
  use: (fd: number | undefined, file: T, errno?: string) => void,
): void {
  if (files.length === 0) return;
  using excursion = new Excursion();
  const target = openNamespace(namespace);
  try {
    for (const file of files) {
      let fd: number;
      try {
        fd = excursion.file(namespace, target, file.path, flags);
      } catch (error) {
        if (!(error instanceof SystemCallError)) throw error;
        use(undefined, file, error.errno);
        continue;
      }
      try {
        use(fd, file);
      } finally {
        libc().close(fd);
      }
    }
  } finally {
    libc().close(target);
  }
}

/** A kernel parameter of a link, by the name that {@link setSysctls} and sysctl(8) take: a slash stands for a dot within a part. */
export function linkSysctl(version: 4 | 6, link: string, parameter: string): string {
  return `net.ipv${version}.conf.${link.replaceAll(".", "/")}.${parameter}`;
}

/** The errno name of a failure of Node's, undefined when there was none. */
function attempt(body: () => void): string | undefined {
  try {
    body();
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return errno;
  }
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
