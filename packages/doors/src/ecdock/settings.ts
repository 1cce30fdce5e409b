/** `/etc/default/ecDock`: NAME=VALUE as a shell would read it, but read only, never run. */
import { readFileSync } from "node:fs";
import { YardError } from "@switchyard/base";

export const SETTINGS_FILE = "/etc/default/ecDock";

export interface Settings {
  /** The vswitch that is meant where none is named. */
  readonly vswitch: string;
  /** As text; empty: none. */
  readonly slot: string;
  /** What stands before `::<IPv4 address>`; empty: no IPv6. */
  readonly ipv6Prefix: string;
}

const DEFAULTS: Settings = { vswitch: "ovs0", slot: "", ipv6Prefix: "2001:db8" };

/** @throws YardError `ec.bad-settings` */
export function readSettings(file = SETTINGS_FILE): Settings {
  try {
    return parseSettings(readFileSync(file, "utf8"), file);
  } catch (error) {
    if (error instanceof YardError) throw error;
    return DEFAULTS;
  }
}

/** @throws YardError `ec.bad-settings` */
export function parseSettings(text: string, file: string): Settings {
  const values = new Map<string, string>();
  for (const [at, line] of text.split("\n").entries()) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)=("([^"$`\\]*)"|'([^']*)'|[^\s"'$`\\;&|<>()]*)\s*(?:#.*)?$/.exec(
      line,
    );
    const [, name, bare, double, single] = match ?? [];
    if (name === undefined)
      throw new YardError("ec.bad-settings", `"${line.trim()}" is no setting`, {
        where: `${file}:${at + 1}`,
        hint: "write NAME=VALUE; nothing in this file is run",
      });
    values.set(name, double ?? single ?? bare ?? "");
  }
  return {
    vswitch: values.get("DEFAULT_VSWITCH") || DEFAULTS.vswitch,
    slot: values.get("DEFAULT_SLOT") ?? DEFAULTS.slot,
    ipv6Prefix: values.get("DEFAULT_IPV6_PREFIX") ?? DEFAULTS.ipv6Prefix,
  };
}

/** The file as `--install` writes it. */
export function settingsText({ vswitch, slot, ipv6Prefix }: Settings): string {
  return `# Default settings for ecDock

# The name of the default vswitch to operate on
DEFAULT_VSWITCH=${vswitch}

# The default slot to use when not specified with --slot=
DEFAULT_SLOT=${slot}

# Default IPv6 prefix
DEFAULT_IPV6_PREFIX=${ipv6Prefix}
`;
}
