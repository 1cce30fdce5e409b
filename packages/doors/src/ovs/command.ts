import { YardError } from "@switchyard/base";
import { z } from "zod";
import type { OvsContext } from "./context.ts";

/** One command: its JSON form, and what it does. */
export interface OvsCommand {
  /** With dashes. */
  readonly name: string;
  readonly summary: string;
  readonly schema: z.ZodObject;
  /** Whether it only looks. */
  readonly reads: boolean;
  /**
   * Reads its arguments, and touches nothing.
   *
   * @param input the arguments as JSON
   * @param warn takes a line for people: an argument that is ignored
   * @returns what does the work: its answer is JSON; it throws the YardErrors of the command
   * @throws YardError `ovs.bad-argument`
   */
  read(input: unknown, warn: (line: string) => void): Promise<(context: OvsContext) => Promise<unknown>>;
}

/** Binds a command to its arguments' schema, which its type comes from. */
export function ovsCommand<Shape extends z.ZodRawShape>(definition: {
  readonly name: string;
  readonly summary: string;
  readonly schema: z.ZodObject<Shape>;
  readonly reads?: boolean;
  readonly run: (context: OvsContext, args: z.output<z.ZodObject<Shape>>) => Promise<unknown>;
}): OvsCommand {
  const { name, summary, schema, reads = false, run } = definition;
  return {
    name,
    summary,
    schema,
    reads,
    async read(input, warn) {
      const args = await parseArguments(name, schema, input, warn);
      return (context) => run(context, args);
    },
  };
}

/** Keys that the command does not know are ignored, as the original does, but not in silence. */
async function parseArguments<Shape extends z.ZodRawShape>(
  command: string,
  schema: z.ZodObject<Shape>,
  input: unknown,
  warn: (line: string) => void,
): Promise<z.output<z.ZodObject<Shape>>> {
  const given = input === undefined || input === null ? {} : input;
  const known = Object.keys(schema.shape);
  const strangers = typeof given === "object" ? Object.keys(given).filter((key) => !known.includes(key)) : [];
  const { nearest } = strangers.length > 0 ? await import("@switchyard/yard/model") : { nearest: () => undefined };
  for (const key of strangers) {
    const meant = nearest(key, known);
    warn(
      `${command}: ${JSON.stringify(key)} is no argument and is ignored${meant === undefined ? "" : `; did you mean ${meant}?`}`,
    );
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  throw new YardError("ovs.bad-argument", `${command}: ${lines.join("; ")}`, {
    hint: `it takes ${known.join(", ")}`,
  });
}

/** A name that must be there. */
export const name = z.string({ error: "a name is expected" }).min(1, "a name is expected, not nothing");

/** A whole number, also written as text. */
export function integer(least: number, most: number) {
  const message = `a whole number from ${least} to ${most} is expected`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\s*\d+\s*$/)
          .transform(Number),
      ],
      { error: message },
    )
    .refine((value) => Number.isInteger(value) && value >= least && value <= most, message);
}

export const flag = z.union(
  [z.boolean(), z.stringbool({ truthy: ["true", "yes", "on", "1"], falsy: ["false", "no", "off", "0", ""] })],
  { error: "true or false is expected" },
);

const written: z.ZodType<Written> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(written), z.record(z.string(), written)]),
);
type Written = string | number | boolean | null | readonly Written[] | { readonly [key: string]: Written };

/** `{"type": "patch", "options:peer": "x"}` */
export const settings = z.record(z.string(), written, { error: "an object of column and value is expected" });

/** One word or several. */
export const words = z.union([z.string().transform((word) => [word]), z.array(z.string())], {
  error: "a list of names is expected",
});
