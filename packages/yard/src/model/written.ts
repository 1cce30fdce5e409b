/** How the parts of a lab file are written: for who describes them to others. */
export { jsonSchemaOf, labJsonSchema } from "./json-schema.ts";
export { checkSchema, labSchema, networkMappingSchema } from "./schema.ts";
export { nicMappingSchema } from "./schema-nics.ts";
export { nodeSchema } from "./schema-nodes.ts";
