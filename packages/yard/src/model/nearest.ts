/**
 * The candidate that a mistyped word most likely meant: the one fewest slips away (a wrong, missing, extra letter or two
 * letters swapped), if that is few for the word's length.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  const most = wanted.length < 3 ? 0 : wanted.length < 6 ? 1 : 2;
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) >= least) continue;
    const slips = distance(wanted, candidate.toLowerCase(), least);
    if (slips < least) {
      least = slips;
      best = candidate;
      if (slips === 0) break;
    }
  }
  return best === word ? undefined : best;
}

/** "did you mean" for a hint, or the list of what there is when that is short. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  // A name that is itself refused is no advice, and might hold what a terminal obeys.
  const all = [...candidates].filter((name) => /^[ -~]+$/.test(name));
  const near = nearest(word, all);
  if (near !== undefined) return `did you mean "${near}"?`;
  return all.length > 0 && all.length <= 12 ? `there is ${all.map((name) => `"${name}"`).join(", ")}` : undefined;
}

/** Optimal string alignment distance of two words, or `limit` as soon as it cannot be less. */
function distance(a: string, b: string, limit: number): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    let least = row;
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (above[column] ?? limit) + 1,
        (line[column - 1] ?? limit) + 1,
        (above[column - 1] ?? limit) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        cost = Math.min(cost, (before[column - 2] ?? limit) + 1);
      line.push(cost);
      least = Math.min(least, cost);
    }
    if (least >= limit) return limit;
    before = above;
    above = line;
  }
  return above[b.length] ?? limit;
}
