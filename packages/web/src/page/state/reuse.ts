/**
 * The new value, with every part of it that says the same as in the old one being the old one itself: what hangs on a part
 * then sees that it has not changed. Lists of things with names are matched by name. For plain data as JSON has it.
 */
export function reuse<T>(old: unknown, fresh: T): T {
  if (Object.is(old, fresh)) return fresh;
  if (Array.isArray(fresh)) return reuseList(Array.isArray(old) ? old : [], fresh) as T;
  if (!isRecord(fresh) || !isRecord(old)) return fresh;
  const keys = Object.keys(fresh);
  const entries = keys.map((key) => [key, reuse(old[key], fresh[key])] as const);
  const same = keys.length === Object.keys(old).length && entries.every(([key, value]) => Object.is(old[key], value));
  return (same ? old : Object.fromEntries(entries)) as T;
}

function reuseList(old: readonly unknown[], fresh: readonly unknown[]): readonly unknown[] {
  const named = new Map(old.map((item) => [nameOf(item), item]));
  const items = fresh.map((item, at) => reuse(nameOf(item) === undefined ? old[at] : named.get(nameOf(item)), item));
  return items.length === old.length && items.every((item, at) => Object.is(item, old[at])) ? old : items;
}

function nameOf(item: unknown): string | undefined {
  return isRecord(item) && typeof item.name === "string" ? item.name : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
