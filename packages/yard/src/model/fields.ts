import { z } from "zod";

/** What a field's documentation says beside its type. */
interface Words {
  /** The value that is meant where none is written. */
  readonly default?: unknown;
  /** What is meant then, where that is no one value. */
  readonly otherwise?: string;
  readonly examples?: unknown[];
  readonly [keyword: string]: unknown;
}

/** Documents a field: the description, default and examples go to the published schema and the reference. */
export function field<T extends z.ZodType>(type: T, description: string, words: Words = {}): T {
  return type.meta({ description, ...words });
}

/** Lab, network and node names: they become host names, file names and namespace names. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
/** Interface names: the kernel allows 15 bytes (IFNAMSIZ); `%` would be a template, `/`, `:` and blanks are refused. */
export const NIC_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/;
/** POSIX calls these portable, plus the dot and dash that some programs use. */
export const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
/** sysctl(8) names with dots; a slash stands for a dot within a part, as in `net.ipv4.conf.eth0/100.rp_filter`. */
export const SYSCTL_NAME = /^[a-z0-9_]+(\.[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*)+$/;

export const text = z.string();
export const oneOrMore = z.union([z.string(), z.array(z.string())]);
/** A command: an argument vector, or a text that is split like one. */
export const command = z.union([z.string(), z.array(z.string()).min(1)]);
export const mtu = z.number().int().min(68).max(65535);
export const vlan = z.number().int().min(1).max(4094);
export const settings = z.union([z.string(), z.number(), z.boolean()]);
