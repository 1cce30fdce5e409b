import { createHash } from "node:crypto";

/** What JSON can say; an `undefined` member is left out. */
export type Plain = string | number | boolean | null | undefined | readonly Plain[] | { readonly [key: string]: Plain };

/** JSON with sorted keys: the same value is always the same text, which can be compared and hashed. */
export function canonicalJson(value: Plain): string {
  return JSON.stringify(sorted(value));
}

/** The first `length` hexadecimal digits of the SHA-256 of a text. */
export function digest(text: string, length: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, length);
}

function sorted(value: Plain): Plain {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  );
}
