import { asYardError, YardError, YardErrors } from "@switchyard/base";
import { z } from "zod";

/** Problem details (RFC 9457), with the code, hint and place that the error has everywhere. */
export const problem = z
  .strictObject({
    type: z.string().describe("`urn:switchyard:error:<code>`"),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string().describe("Stable; docs/errors.md lists all."),
    hint: z.string().optional().describe("What to do about it."),
    where: z.string().optional().describe("A file:line:column, a row, a path."),
    excerpt: z.string().optional().describe("The text at fault, with a caret under it."),
    errors: z
      .array(
        z.strictObject({
          code: z.string(),
          message: z.string(),
          hint: z.string().optional(),
          where: z.string().optional(),
          excerpt: z.string().optional(),
        }),
      )
      .optional()
      .describe("Where there are several: each."),
  })
  .meta({ id: "Problem" });

export type Problem = z.infer<typeof problem>;

/** An error as it is told to clients. What nobody foresaw keeps its message too: clients are as good as root. */
export function problemOf(thrown: unknown): Problem {
  const error = parsed(thrown);
  const { message, ...told } = error.toJSON();
  return {
    type: `urn:switchyard:error:${error.code}`,
    title: error.code.replaceAll(/[.-]/g, " "),
    status: statusOf(error.code),
    detail: message,
    ...told,
    ...(error instanceof YardErrors ? { errors: error.errors.map((each) => each.toJSON()) } : {}),
  };
}

/** The errors of rooms that know nothing of codes. */
function parsed(thrown: unknown): YardError {
  if (!(thrown instanceof z.ZodError)) return asYardError(thrown);
  const errors = thrown.issues.map(
    ({ path, message }) => new YardError("http.bad-body", message, { where: path.map(String).join(".") }),
  );
  const [first = new YardError("http.bad-body", thrown.message), ...others] = errors;
  return others.length === 0 ? first : new YardErrors([first, ...others]);
}

const statuses: Readonly<Record<string, number>> = {
  "history.moved-on": 409,
  "history.nothing": 409,
  "history.outdated": 409,
  "node.stopped": 409,
  "http.bad-body": 400,
  "http.bad-query": 400,
  "http.changed-since": 412,
  "http.foreign-origin": 403,
  "http.method-not-allowed": 405,
  "http.no-text": 404,
  "http.not-found": 404,
  "http.not-permitted": 403,
  "http.token-wanted": 401,
  "http.too-fast": 429,
  "http.too-large": 413,
  "http.upgrade-wanted": 426,
  "http.wrong-host": 421,
  "lab.not-up": 404,
  "switch.bridge-unknown": 404,
  "agent.died": 503,
  "yard.not-running": 503,
  "switch.not-running": 503,
  "switch.not-answering": 503,
  "capture.no-agent": 503,
  "internal.unexpected": 500,
};

/** The status that a code is told with; a change that cannot be had is 422. */
export function statusOf(code: string): number {
  const known = statuses[code];
  if (known !== undefined) return known;
  const problem = code.slice(code.indexOf(".") + 1);
  if (problem === "unknown") return 404;
  if (/(-taken|-exists|^in-use|^not-running|^busy)$/.test(problem)) return 409;
  return 422;
}

/** The answer that tells a problem. */
export function problemResponse(thrown: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  const told = problemOf(thrown);
  return new Response(JSON.stringify(told), {
    status: told.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  });
}
