/** What the API refuses with: problem details (RFC 9457) with the yard's own codes. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly hint: string | undefined;
  /** Of a lab file's error: `file:line:column`. */
  readonly where: string | undefined;
  /** All of them, where there are several. */
  readonly errors: readonly Problem[];
}

/** A request was refused, or not answered. */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** Reads problem details; what is none says so. */
export function problemOf(told: unknown): Problem {
  const fields = isRecord(told) ? told : {};
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  return {
    code: text(fields.code) ?? "internal.unexpected",
    detail: text(fields.detail) ?? text(fields.message) ?? text(fields.title) ?? "the yard did not say why",
    hint: text(fields.hint),
    where: text(fields.where),
    errors: Array.isArray(fields.errors) ? fields.errors.map(problemOf) : [],
  };
}

/** Whatever was thrown, for people. */
export function problemText(thrown: unknown): string {
  if (!(thrown instanceof ApiError)) return thrown instanceof Error ? thrown.message : String(thrown);
  const { problem } = thrown;
  const lines = problem.errors.length > 0 ? problem.errors : [problem];
  return lines
    .map(
      ({ where, detail, hint }) =>
        `${where === undefined ? "" : `${where}: `}${detail}${hint === undefined ? "" : ` (${hint})`}`,
    )
    .join("\n");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
