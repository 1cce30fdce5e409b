import { matches } from "./same-lines.ts";

/**
 * A changed text as its writer would have it. A printer of YAML has one way of writing all; where what it printed says the
 * same before and after the change, the writer's own lines are put back.
 *
 * @param written the text before, as it was written
 * @param before the same, as the printer has it
 * @param after the changed text, as the printer has it
 */
export function asWritten(written: string, before: string, after: string): string {
  const [own, old, fresh] = [written.split("\n"), before.split("\n"), after.split("\n")];
  const ofOld = matches(old.map(bare), own.map(bare));
  const ofFresh = matches(fresh, old);
  const out: string[] = [];
  for (let at = 0; at < fresh.length; ) {
    const piece = unchangedPiece(at, ofFresh, ofOld, own.length);
    if (piece === undefined) out.push(fresh[at++] ?? "");
    else {
      out.push(...own.slice(piece.from, piece.to));
      at += piece.length;
    }
  }
  return out.join("\n");
}

/** The writer's lines for what begins at a line of the changed text; undefined where that was changed. */
function unchangedPiece(
  at: number,
  ofFresh: readonly (number | undefined)[],
  ofOld: readonly (number | undefined)[],
  end: number,
): { readonly from: number; readonly to: number; readonly length: number } | undefined {
  const old = ofFresh[at];
  if (old === undefined) return undefined;
  const own = ofOld[old];
  if (own !== undefined) return { from: own, to: own + 1, length: 1 };
  // The printer has broken these lines otherwise than the writer did: all of them, or none.
  let first = old;
  while (first > 0 && ofOld[first - 1] === undefined) first--;
  let last = old;
  while (last + 1 < ofOld.length && ofOld[last + 1] === undefined) last++;
  if (first !== old) return undefined;
  const length = last - first + 1;
  for (let n = 0; n < length; n++) if (ofFresh[at + n] !== first + n) return undefined;
  const from = first === 0 ? 0 : (ofOld[first - 1] ?? 0) + 1;
  const to = last + 1 < ofOld.length ? (ofOld[last + 1] ?? end) : end;
  return { from, to, length };
}

/** A line without what only sets its parts apart. */
function bare(line: string): string {
  return line.replace(/\s+/g, "");
}
