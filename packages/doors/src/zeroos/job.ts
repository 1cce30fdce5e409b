/** A job as a client pushes it, and what becomes of it. */
import { YardError, YardErrors } from "@switchyard/base";
import { z } from "zod";

/** The states that a result tells, spelled as clients know them. */
export type JobState = "SUCCESS" | "ERROR" | "TIMEOUT" | "KILLED" | "UNKNOWN_CMD" | "DUPILICATE_ID";

/** Levels of messages: lines of a process, and what a command answers. */
export const LEVEL = { stdout: 1, stderr: 2, json: 20 } as const;

/** Added to the exit code of a process, to tell it from the codes of built-in commands, which are those of HTTP. */
export const EXIT_CODE = 1_000;

const id = z
  .string()
  .max(256)
  .regex(/^[\x21-\x7e]+$/, "an id is up to 256 printable characters without blanks");
const tags = z
  .array(z.string().max(256))
  .max(100)
  .nullish()
  .transform((list) => list ?? []);

/** A command, to be run here or in a container. */
export const commandSchema = z.object({
  id: id
    .nullish()
    .or(z.literal(""))
    .transform((text) => text || undefined),
  command: z.string().min(1).max(256),
  arguments: z.unknown().optional(),
  queue: z.string().max(256).nullish(),
  /** Seconds. */
  max_time: z.number().min(0).max(2_000_000).nullish(),
  stream: z.boolean().nullish(),
  tags,
});
export type JobCommand = z.output<typeof commandSchema>;

/** As it is read back, in JSON. */
export interface JobResult {
  readonly id: string;
  readonly command: string;
  /** The answer of a built-in command, or why it failed, as JSON. */
  readonly data: string;
  readonly streams: readonly [string, string];
  readonly critical: string;
  /** Of `data`; 0: a process, which has none. */
  readonly level: number;
  readonly state: JobState;
  readonly code: number;
  /** Milliseconds since 1970. */
  readonly starttime: number;
  /** Milliseconds that it took. */
  readonly time: number;
  readonly tags: readonly string[];
  /** The container that it ran in; 0: the host. */
  readonly container: number;
}

/** What a command comes to that does not fail. */
export type Answer =
  | { readonly data: unknown }
  /** A process, which has written its streams as it ran. */
  | { readonly exitCode: number };

/** What a command is called with. */
export interface Call {
  readonly id: string;
  readonly arguments: unknown;
  readonly tags: readonly string[];
  /** Aborted by its time limit, by `job.kill` and by the end of the server. */
  readonly signal: AbortSignal;
  /** A line of output. */
  readonly line: (level: number, text: string) => void;
}

export type Handler = (call: Call) => Promise<Answer>;

/** A handler of a command that takes such arguments, null for those that are not given. */
export function command<Schema extends z.ZodType>(
  schema: Schema,
  run: (args: z.output<Schema>, call: Call) => Promise<unknown>,
): Handler {
  return async (call) => ({ data: (await run(parsed(schema, call.arguments), call)) ?? null });
}

/** @throws YardError `zeroos.bad-argument` */
export function parsed<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input ?? {});
  if (result.success) return result.data;
  const lines = result.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "));
  throw new YardError("zeroos.bad-argument", lines.join("; "));
}

/** The code of HTTP that an error stands for. */
export function httpCode({ code }: YardError): number {
  if (code === "zeroos.bad-argument" || code === "zeroos.host-network") return 400;
  if (code === "zeroos.no-ovs" || code === "zeroos.no-zerotier" || code === "zeroos.nic-state") return 412;
  if (code === "zeroos.too-many") return 503;
  if (code === "zeroos.not-offered") return 501;
  const [, problem = ""] = code.split(".");
  if (/^(bad|not-host|outside|ip-not|two-|prefix)/.test(problem)) return 400;
  if (/(taken|in-use|second|duplicate|overlaps)/.test(problem)) return 409;
  if (/(unknown|absent|missing|^no-)/.test(problem)) return 404;
  return 500;
}

/** What a client is told of an error: each with its remedy. */
export function errorText(error: YardError): string {
  const errors = error instanceof YardErrors ? error.errors : [error];
  return errors.map(({ message, hint, code }) => `${message} [${code}]${hint ? `: ${hint}` : ""}`).join("\n");
}
