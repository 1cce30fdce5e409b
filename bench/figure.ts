/** One measured figure and what it shall reach. */
export interface Figure {
  readonly case: string;
  /** What was measured, in a few words. */
  readonly name: string;
  /** `s`, `MB`, `Mbit/s`, `1/s`. */
  readonly unit: string;
  /** The median of the runs. */
  readonly value: number;
  readonly runs: readonly number[];
  /** What it is compared with, measured in the same run in alternation. */
  readonly baseline?: { readonly name: string; readonly value: number; readonly runs: readonly number[] };
  readonly target?: Target;
}

/** A limit on the figure itself, or on its ratio to the baseline: `value / baseline`, or `baseline / value`. */
export interface Target {
  readonly of: "value" | "value/baseline" | "baseline/value";
  readonly limit: number;
  readonly at: "most" | "least";
}

/** What the target is about: the value or the ratio; undefined without a target or without its baseline. */
export function measured({ value, baseline, target }: Figure): number | undefined {
  switch (target?.of) {
    case undefined:
      return undefined;
    case "value":
      return value;
    case "value/baseline":
      return baseline && value / baseline.value;
    case "baseline/value":
      return baseline && baseline.value / value;
  }
}

/** Whether the target is reached; undefined where there is none. */
export function passes(figure: Figure): boolean | undefined {
  const reached = measured(figure);
  if (reached === undefined || figure.target === undefined) return undefined;
  return figure.target.at === "most" ? reached <= figure.target.limit : reached >= figure.target.limit;
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const low = sorted[Math.ceil(half) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(half)] ?? Number.NaN;
  return (low + high) / 2;
}

/** One line for people. */
export function describe(figure: Figure): string {
  const { name, unit, value, baseline, target } = figure;
  const parts = [`${name}: ${show(value)} ${unit}`];
  if (baseline) parts.push(`${baseline.name}: ${show(baseline.value)} ${unit}`);
  const reached = measured(figure);
  if (target && reached !== undefined) {
    const what = target.of === "value" ? "" : `${show(reached)}×, `;
    const suffix = target.of === "value" ? ` ${unit}` : "×";
    parts.push(`${what}target at ${target.at} ${target.limit}${suffix}: ${passes(figure) ? "pass" : "MISS"}`);
  }
  return parts.join("; ");
}

function show(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
