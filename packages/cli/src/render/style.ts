/** Terminal colours: functions that wrap text in SGR sequences, or return it as it is where colour is not wanted. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

const same = (text: string) => text;

/** No colours at all. */
export const plain: Style = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

const sgr = (on: number, off: number) => (text: string) => (text === "" ? "" : `\x1b[${on}m${text}\x1b[${off}m`);

/** ECMA-48 colours of the basic palette, which every terminal theme keeps readable. */
export const coloured: Style = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  red: sgr(31, 39),
  green: sgr(32, 39),
  yellow: sgr(33, 39),
  cyan: sgr(36, 39),
};

/**
 * The style for a stream: coloured on a terminal only, never with a non-empty `NO_COLOR` (no-color.org) or on a dumb
 * terminal; `FORCE_COLOR` wins over the stream being none.
 */
export function styleFor(stream: { readonly isTTY?: boolean | undefined }, env: NodeJS.ProcessEnv): Style {
  if (env.NO_COLOR) return plain;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== "0") return coloured;
  return stream.isTTY && env.TERM !== "dumb" ? coloured : plain;
}

/** Columns that a text takes on a terminal, colours not counted. */
export function displayWidth(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : Bun.stringWidth(text);
}

/** `text` filled with spaces to `width` columns. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}
