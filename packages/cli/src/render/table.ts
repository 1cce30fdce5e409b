import { displayWidth, pad, type Style } from "./style.ts";

/** A column of a table: its heading, and what a row shows there (several lines where it has several things to say). */
export interface Column<Row> {
  readonly heading: string;
  readonly cell: (row: Row) => string | readonly string[];
  /** Shown only when some row has something there. */
  readonly optional?: boolean;
  readonly align?: "left" | "right";
}

/**
 * A table as `docker ps` prints it: headings in capitals, columns two spaces apart, no rules.
 *
 * @returns lines, each without trailing blanks
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], style: Style): string[] {
  const cells = rows.map((row) => columns.map((column) => lines(column.cell(row))));
  const shown = columns
    .map((column, at) => ({ column, at }))
    .filter(({ column, at }) => !column.optional || cells.some((row) => (row[at] ?? []).some((line) => line !== "")));
  const widths = shown.map(({ column, at }) =>
    Math.max(displayWidth(column.heading), ...cells.flatMap((row) => (row[at] ?? []).map(displayWidth))),
  );
  const line = (parts: readonly string[]) => parts.join("  ").trimEnd();
  const place = (text: string, index: number) => {
    const width = widths[index] ?? 0;
    return shown[index]?.column.align === "right"
      ? " ".repeat(Math.max(0, width - displayWidth(text))) + text
      : pad(text, width);
  };
  const out = [style.dim(line(shown.map(({ column }, index) => place(column.heading.toUpperCase(), index))))];
  for (const row of cells) {
    const height = Math.max(1, ...shown.map(({ at }) => row[at]?.length ?? 0));
    for (let n = 0; n < height; n++) out.push(line(shown.map(({ at }, index) => place(row[at]?.[n] ?? "", index))));
  }
  return out;
}

/** `name  value` pairs, values aligned; those without a value are left out. */
export function pairs(
  entries: readonly (readonly [name: string, value: string | undefined])[],
  style: Style,
): string[] {
  const given = entries.flatMap(([name, value]) => (value === undefined || value === "" ? [] : [{ name, value }]));
  const width = Math.max(0, ...given.map(({ name }) => name.length));
  return given.map(({ name, value }) => `${style.dim(pad(name, width))}  ${value}`);
}

function lines(cell: string | readonly string[]): readonly string[] {
  return typeof cell === "string" ? [cell] : cell;
}
