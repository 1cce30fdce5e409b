import type { Dissection, Field } from "./layer.ts";

/** Whether a frame is to be shown. */
export type DisplayFilter = (dissection: Dissection) => boolean;

/** What is wrong with a display filter, in words. */
export class FilterError extends Error {}

/** Keys that stand for the one and the other of two. */
const EITHER: ReadonlyMap<string, readonly string[]> = new Map([
  ["eth.addr", ["eth.src", "eth.dst"]],
  ["ip.addr", ["ip.src", "ip.dst"]],
  ["ipv6.addr", ["ipv6.src", "ipv6.dst"]],
  ["tcp.port", ["tcp.srcport", "tcp.dstport"]],
  ["udp.port", ["udp.srcport", "udp.dstport"]],
]);
const COMPARISONS = ["==", "!=", ">=", "<=", ">", "<", "contains"] as const;
type Comparison = (typeof COMPARISONS)[number];

/**
 * Reads a display filter, a part of what Wireshark's (wireshark-filter(4)) can say: protocols and fields by name,
 * comparisons, `contains`, `!`, `&&`, `||`, `not`, `and`, `or` and parentheses. Empty: every frame.
 *
 * @throws FilterError
 */
export function parseFilter(text: string): DisplayFilter {
  const tokens =
    text.match(/"[^"]*"|&&|\|\||[=!<>]=|[()!<>]|[^\s()!<>=&|"]+|./g)?.filter((token) => token.trim()) ?? [];
  if (tokens.length === 0) return () => true;
  let at = 0;
  const next = () => tokens[at];
  const take = () => tokens[at++];

  const either = (): DisplayFilter => {
    let left = both();
    while (next() === "||" || next() === "or") {
      take();
      const [one, other] = [left, both()];
      left = (it) => one(it) || other(it);
    }
    return left;
  };
  const both = (): DisplayFilter => {
    let left = single();
    while (next() === "&&" || next() === "and") {
      take();
      const [one, other] = [left, single()];
      left = (it) => one(it) && other(it);
    }
    return left;
  };
  const single = (): DisplayFilter => {
    const token = take();
    if (token === undefined) throw new FilterError("something is missing at the end");
    if (token === "!" || token === "not") {
      const inner = single();
      return (it) => !inner(it);
    }
    if (token === "(") {
      const inner = either();
      if (take() !== ")") throw new FilterError("a parenthesis is not closed");
      return inner;
    }
    if (!/^[a-z][a-z0-9_.]*$/i.test(token)) throw new FilterError(`"${token}" is no protocol or field`);
    const comparison = COMPARISONS.find((word) => word === next());
    if (comparison === undefined) return (it) => it.layers.some(({ key }) => key === token) || has(it, token);
    take();
    const value = take();
    if (value === undefined) throw new FilterError(`${token} ${comparison} what?`);
    return compare(token, comparison, value.replaceAll('"', ""));
  };

  const filter = either();
  if (next() !== undefined) throw new FilterError(`"${next()}" is not expected here`);
  return filter;
}

function fieldsOf({ layers }: Dissection, key: string): Field[] {
  const keys = EITHER.get(key) ?? [key];
  return layers.flatMap(({ fields }) => fields.filter((field) => keys.includes(field.key)));
}

function has(dissection: Dissection, key: string): boolean {
  return fieldsOf(dissection, key).length > 0;
}

/** Of several fields of that name one is enough, but for `!=`, which none may be. */
function compare(key: string, comparison: Comparison, wanted: string): DisplayFilter {
  const equal = ({ value }: Field) =>
    String(value).toLowerCase() === wanted.toLowerCase() || value === numberOf(wanted);
  switch (comparison) {
    case "==":
      return (it) => fieldsOf(it, key).some(equal);
    case "!=":
      return (it) => has(it, key) && !fieldsOf(it, key).some(equal);
    case "contains":
      return (it) => fieldsOf(it, key).some(({ value, text }) => `${value} ${text ?? ""}`.includes(wanted));
    default: {
      const number = numberOf(wanted);
      if (Number.isNaN(number)) throw new FilterError(`"${wanted}" is no number`);
      return (it) =>
        fieldsOf(it, key).some(({ value }) => typeof value === "number" && isOrdered(value, comparison, number));
    }
  }
}

function isOrdered(left: number, comparison: ">=" | "<=" | ">" | "<", right: number): boolean {
  switch (comparison) {
    case ">=":
      return left >= right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case "<":
      return left < right;
  }
}

/** Decimal, or hexadecimal after `0x`. */
function numberOf(text: string): number {
  return /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
}
