/** Which lines two texts have in common, and what comes of changes that two people made to one text. */

/** For each line the one of the others that it is, in order and as many as can be; undefined where it is none. */
export function matches(lines: readonly string[], others: readonly string[]): (number | undefined)[] {
  const found: (number | undefined)[] = lines.map(() => undefined);
  let start = 0;
  while (start < lines.length && start < others.length && lines[start] === others[start]) found[start] = start++;
  let [end, otherEnd] = [lines.length, others.length];
  while (end > start && otherEnd > start && lines[end - 1] === others[otherEnd - 1]) found[--end] = --otherEnd;
  // The longest common subsequence of what is between: `common[i][j]` is its length from there to the end.
  const width = otherEnd - start + 1;
  const common = new Uint32Array((end - start + 1) * width);
  const length = (i: number, j: number) => common[(i - start) * width + (j - start)] ?? 0;
  for (let i = end - 1; i >= start; i--)
    for (let j = otherEnd - 1; j >= start; j--)
      common[(i - start) * width + (j - start)] =
        lines[i] === others[j] ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
  for (let i = start, j = start; i < end && j < otherEnd; )
    if (lines[i] === others[j]) found[i++] = j++;
    else if (length(i + 1, j) >= length(i, j + 1)) i++;
    else j++;
  return found;
}

/**
 * One text with the changes of two: of each piece between lines that all three have, that of who has changed it.
 *
 * @returns undefined: both have changed the same piece, each otherwise
 */
export function merged(base: string, mine: string, theirs: string): string | undefined {
  const [old, own, other] = [base.split("\n"), mine.split("\n"), theirs.split("\n")];
  const [inOwn, inOther] = [matches(old, own), matches(old, other)];
  const out: string[] = [];
  let at = { old: 0, own: 0, other: 0 };
  for (;;) {
    let next = at.old;
    while (next < old.length && (inOwn[next] === undefined || inOther[next] === undefined)) next++;
    const to = { own: inOwn[next] ?? own.length, other: inOther[next] ?? other.length };
    const piece = chosen(old.slice(at.old, next), own.slice(at.own, to.own), other.slice(at.other, to.other));
    if (piece === undefined) return undefined;
    out.push(...piece);
    const common = old[next];
    if (common === undefined) return out.join("\n");
    out.push(common);
    at = { old: next + 1, own: to.own + 1, other: to.other + 1 };
  }
}

function chosen(
  old: readonly string[],
  own: readonly string[],
  other: readonly string[],
): readonly string[] | undefined {
  if (isSame(own, old)) return other;
  return isSame(other, old) || isSame(own, other) ? own : undefined;
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, at) => line === other[at]);
}
