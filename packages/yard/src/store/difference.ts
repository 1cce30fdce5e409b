/**
 * The columns of `wanted` that a row does not have already; undefined when it has them all.
 *
 * @param wanted scalars, optional values, sets and maps of strings
 */
export function difference<Row extends object>(row: Row, wanted: Partial<Row>): Partial<Row> | undefined {
  const changed: Partial<Row> = {};
  let any = false;
  for (const column in wanted) {
    if (same(row[column], wanted[column])) continue;
    changed[column] = wanted[column];
    any = true;
  }
  return any ? changed : undefined;
}

function same(a: unknown, b: unknown): boolean {
  if (a instanceof Map && b instanceof Map) {
    if (a.size !== b.size) return false;
    for (const [key, value] of a) if (b.get(key) !== value) return false;
    return true;
  }
  if (a instanceof Set && b instanceof Set) {
    if (a.size !== b.size) return false;
    for (const member of a) if (!b.has(member)) return false;
    return true;
  }
  return a === b;
}
