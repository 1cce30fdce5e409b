import { z } from "zod";
import { labSchema } from "./schema.ts";

/** A schema as JSON Schema (2020-12), of what is written rather than of what is made of it. */
export function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    io: "input",
    target: "draft-2020-12",
    override: ({ jsonSchema }) => {
      // Editors would insert what is only words as a value.
      if (typeof jsonSchema.otherwise !== "string") return;
      jsonSchema.description = `${jsonSchema.description} Default: ${jsonSchema.otherwise}.`;
      delete jsonSchema.otherwise;
    },
  });
}

/** The JSON Schema of a lab file. */
export function labJsonSchema(): object {
  return { title: "Switchyard lab file", ...jsonSchemaOf(labSchema) };
}
