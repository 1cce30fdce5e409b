import { asYardError, type YardError, YardErrors } from "@switchyard/base";
import type { Style } from "./style.ts";

/** What was thrown, as the single failures that it tells of. */
export function failuresOf(thrown: unknown): readonly YardError[] {
  const error = asYardError(thrown);
  return error instanceof YardErrors ? error.errors.flatMap(failuresOf) : [error];
}

/**
 * Failures for people: message and code, where with an excerpt and a caret, the remedy.
 *
 * ```text
 * error: "lan1" is not a network of this lab [nic.network-unknown]
 *   --> office.yard.yaml:7:28
 *   7 |   web: { nics: [ lan1 ] }
 *     |                  ^^^^
 *   = did you mean lan01?
 * ```
 */
export function renderErrors(thrown: unknown, style: Style, options: { readonly debug?: boolean } = {}): string[] {
  const failures = failuresOf(thrown);
  const out = failures.flatMap((failure, index) => [
    ...(index > 0 && failure.where ? [""] : []),
    ...renderError(failure, style),
  ]);
  if (failures.length > 1) out.push("", style.red(`${failures.length} errors`));
  if (options.debug) out.push(...failures.flatMap(causes).map(style.dim));
  return out;
}

/** One failure, without those underneath it. */
function renderError(failure: YardError, style: Style): string[] {
  const [first = "", ...rest] = failure.message.split("\n");
  return [
    `${style.bold(style.red("error:"))} ${style.bold(first)} ${style.dim(`[${failure.code}]`)}`,
    ...rest.map((line) => `  ${line}`),
    ...(failure.where === undefined ? [] : [`  ${style.cyan("-->")} ${failure.where}`]),
    ...(failure.excerpt?.split("\n").map((line) => `  ${withCaret(line, style)}`) ?? []),
    ...(failure.hint === undefined ? [] : [`  ${style.cyan("=")} ${failure.hint}`]),
  ];
}

/** `--json`: one object on standard error, whatever went wrong. */
export function jsonErrors(thrown: unknown): string {
  return JSON.stringify({ errors: failuresOf(thrown).map((failure) => failure.toJSON()) });
}

/** Carets in red, where the line holds nothing else but its gutter. */
function withCaret(line: string, style: Style): string {
  return line.replace(/^([\s|]*)(\^+)$/, (_, gutter: string, carets: string) => gutter + style.red(carets));
}

function causes(error: Error): string[] {
  const out: string[] = [];
  let at: unknown = error;
  for (let depth = 0; at instanceof Error && depth < 8; depth++, at = at.cause)
    out.push(`${depth === 0 ? "from" : "caused by"}: ${at.message}`, ...(at.stack ?? "").split("\n").slice(1));
  return out;
}
