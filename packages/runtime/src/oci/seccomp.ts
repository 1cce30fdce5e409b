import { existsSync, readFileSync } from "node:fs";
import { arch } from "node:process";

/** Where distributions put the profile that podman and its kin use (containers-common). */
const PROFILES = ["/usr/share/containers/seccomp.json", "/etc/containers/seccomp.json"];

/** The `linux.seccomp` object of config.json. */
export interface Seccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly unknown[];
}

/** Whether this host has a system call profile for containers. */
export function hasSeccompProfile(): boolean {
  return PROFILES.some((path) => existsSync(path));
}

const cache = new Map<string, Seccomp | undefined>();

/**
 * The host's system call profile, resolved for a set of capabilities: its rules say which of them apply with which
 * capability and architecture. Undefined when the host has none (`hasSeccompProfile`): containers then run unfiltered.
 */
export function seccompProfile(capabilities: readonly string[]): Seccomp | undefined {
  const key = capabilities.join(" ");
  if (!cache.has(key)) cache.set(key, read(capabilities));
  return cache.get(key);
}

const architectures: Readonly<Record<string, { name: string; native: string }>> = {
  x64: { name: "amd64", native: "SCMP_ARCH_X86_64" },
  arm64: { name: "arm64", native: "SCMP_ARCH_AARCH64" },
};

function read(capabilities: readonly string[]): Seccomp | undefined {
  const path = PROFILES.find((candidate) => existsSync(candidate));
  const own = architectures[arch];
  if (path === undefined || own === undefined) return undefined;
  const profile = object(JSON.parse(readFileSync(path, "utf8")));
  const applies = (rule: Fields): boolean => {
    const includes = object(rule.includes);
    const excludes = object(rule.excludes);
    const arches = strings(includes.arches);
    return (
      strings(includes.caps).every((name) => capabilities.includes(name)) &&
      (arches.length === 0 || arches.includes(own.name)) &&
      !strings(excludes.caps).some((name) => capabilities.includes(name)) &&
      !strings(excludes.arches).includes(own.name)
    );
  };
  const map = list(profile.archMap)
    .map(object)
    .find((entry) => entry.architecture === own.native);
  return {
    defaultAction: String(profile.defaultAction),
    ...(typeof profile.defaultErrnoRet === "number" ? { defaultErrnoRet: profile.defaultErrnoRet } : {}),
    architectures: [own.native, ...strings(map?.subArchitectures)],
    syscalls: list(profile.syscalls)
      .map(object)
      .filter(applies)
      .map(({ names, action, errnoRet, args }) => ({
        names: strings(names),
        action,
        ...(typeof errnoRet === "number" ? { errnoRet } : {}),
        ...(list(args).length === 0 ? {} : { args: list(args) }),
      })),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function object(value: unknown): Fields {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
function strings(value: unknown): string[] {
  return list(value).filter((item) => typeof item === "string");
}
