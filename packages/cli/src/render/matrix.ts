import type { PairResult } from "@switchyard/yard/checks";
import { displayWidth, pad, type Style } from "./style.ts";

/** More nodes than this and a matrix is wider than a terminal: only the pairs that failed are listed. */
const MATRIX_LIMIT = 16;

/** `yard pingall`: who reaches whom, and the loss, as Mininet words it. */
export function renderMatrix(nodes: readonly string[], pairs: readonly PairResult[], style: Style): string[] {
  const lost = pairs.filter(({ roundTrip }) => roundTrip === null);
  const percent = pairs.length === 0 ? 0 : (100 * lost.length) / pairs.length;
  const verdict = `${percent.toFixed(percent === 0 || percent === 100 ? 0 : 1)}% dropped (${pairs.length - lost.length}/${pairs.length} received)`;
  const body =
    nodes.length <= MATRIX_LIMIT
      ? matrix(nodes, pairs, style)
      : lost.map(({ from, to }) => `${style.red("✗")} ${from} -> ${to}`);
  return [...body, ...(body.length > 0 ? [""] : []), lost.length === 0 ? style.green(verdict) : style.red(verdict)];
}

function matrix(nodes: readonly string[], pairs: readonly PairResult[], style: Style): string[] {
  const found = new Map(pairs.map((pair) => [`${pair.from} ${pair.to}`, pair]));
  const cell = (from: string, to: string): string => {
    const pair = found.get(`${from} ${to}`);
    if (pair === undefined) return style.dim("·");
    return pair.roundTrip === null ? style.red("✗") : `${pair.roundTrip.toFixed(pair.roundTrip < 10 ? 2 : 0)}`;
  };
  const rows = [["ms", ...nodes], ...nodes.map((from) => [from, ...nodes.map((to) => cell(from, to))])];
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => displayWidth(row[at] ?? "")))) ?? [];
  return rows.map((row, line) =>
    row
      .map((text, at) => pad(line === 0 || at === 0 ? style.bold(text) : text, widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
