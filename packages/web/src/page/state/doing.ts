/** What the agent is at. */

/** A piece of its work: how many steps, and the first of them, as a plan prints them. */
export interface Doing {
  readonly steps: number;
  readonly first: readonly string[];
  /** The boxes of the picture that it is about: `node web`, `network lan`. */
  readonly about: ReadonlySet<string>;
  /** Undefined: it is at it. */
  readonly ended: { readonly milliseconds: number; readonly failures: number } | undefined;
}

/** Milliseconds that work is shown after its end: most of it is done sooner than it could be read. */
export const HOLD = 2000;

/** In a line: what it is about, and how long it took. */
export function doingText({ steps, first, ended }: Doing): string {
  const names = [...new Set(first.map(subjectOf))];
  const about = `${names.slice(0, 2).join(", ")}${names.length > 2 ? " …" : ""}`;
  const count = steps === 1 ? "1 step" : `${steps} steps`;
  if (ended === undefined) return `${about}: ${count}`;
  const failed = ended.failures === 0 ? "" : `, ${ended.failures} failed`;
  return `${about}: ${count} in ${ended.milliseconds} ms${failed}`;
}

/** Work that begins. */
export function begun(steps: number, first: readonly string[]): Doing {
  const about = first.map((step) => subjectOf(step).replace(/^nic (.*):.*$/, "node $1"));
  return { steps, first, about: new Set(about), ended: undefined };
}

/** Of `+ nic web:eth0: create veth …`: `nic web:eth0`. */
function subjectOf(step: string): string {
  return /^[+~-] (.*?)(?:: |$)/.exec(step)?.[1] ?? step;
}
