/** The description of the API (OpenAPI 3.1), made of the schemas that serve it and of those of the lab file. */
import { jsonSchemaOf, networkMappingSchema, nicMappingSchema, nodeSchema } from "@switchyard/yard/written";
import { z } from "zod";
import type { Operation } from "./operation.ts";
import { type LabPart, PART } from "./operations/lab-part.ts";
import { problem } from "./problem.ts";

export const PREFIX = "/api/v1";

/** JSON, as a document is built of it. */
interface Part {
  [key: string]: unknown;
}

/** How the parts of a lab file are called in the description. */
const parts: Readonly<Record<LabPart, string>> = { node: "LabNode", nic: "LabNic", network: "LabNetwork" };

/** The whole description. */
export function describeApi(operations: readonly Operation[], version: string): Part {
  const schemas: Part = {};
  const schemaOf = (schema: z.ZodType, io: "input" | "output") => hoist(plain(schema, io), schemas);
  Object.assign(schemas, labSchemas());
  const paths: Record<string, Part> = {};
  for (const operation of operations) {
    const path = `${PREFIX}${operation.path}`;
    paths[path] ??= {};
    Object.assign(paths[path], { [operation.method.toLowerCase()]: describeOperation(operation, schemaOf) });
  }
  schemaOf(problem, "output");
  return {
    openapi: "3.1.0",
    info: {
      title: "Switchyard",
      version,
      description:
        "All that the commands of `yard` do, over the same model and drivers. Errors are problem details (RFC 9457) with the codes of docs/errors.md.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }, { session: [] }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "switchyard_<port>",
          description: "Begun by the link that `yard serve` prints.",
        },
      },
    },
  };
}

function describeOperation(operation: Operation, schemaOf: (schema: z.ZodType, io: "input" | "output") => Part): Part {
  const { id, path, tag, summary, description, role, query } = operation;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const refusal = { description: "A problem.", content: { "application/problem+json": { schema: ref("Problem") } } };
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    "x-role": role,
    parameters: [...inPath, ...(query === undefined ? [] : parametersOf(schemaOf(query, "input")))],
    ...bodyOf(operation, schemaOf),
    responses: { ...answerOf(operation, schemaOf), default: refusal },
  };
}

function bodyOf(operation: Operation, schemaOf: (schema: z.ZodType, io: "input") => Part): Part {
  if (operation.kind === "json" && operation.body !== undefined)
    return {
      requestBody: { required: true, content: { "application/json": { schema: schemaOf(operation.body, "input") } } },
    };
  if (operation.kind === "raw" && operation.takes !== undefined)
    return { requestBody: { required: true, content: { [operation.takes]: {} } } };
  return {};
}

function answerOf(operation: Operation, schemaOf: (schema: z.ZodType, io: "output") => Part): Part {
  switch (operation.kind) {
    case "json":
      return {
        "200": {
          description: "Done.",
          content: { "application/json": { schema: schemaOf(operation.reply, "output") } },
        },
      };
    case "raw":
      return { "200": { description: "Done.", content: { [operation.gives]: {} } } };
    case "socket":
      return { "101": { description: "The WebSocket is open." } };
  }
}

/** Each property of a query is a parameter. */
function parametersOf(schema: Part): Part[] {
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(isPart(schema.properties) ? schema.properties : {}).map(([name, property]) => {
    const { description, ...rest } = isPart(property) ? property : {};
    const optional = "default" in rest || !required.includes(name);
    return {
      name,
      in: "query",
      required: !optional,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function plain(schema: z.ZodType, io: "input" | "output"): Part {
  return z.toJSONSchema(schema, {
    io,
    target: "draft-2020-12",
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      const part = jsonSchema[PART];
      if (part !== "node" && part !== "nic" && part !== "network") return;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      jsonSchema.$ref = `#/components/schemas/${parts[part]}`;
    },
  });
}

/** The parts of a lab file, with what they are made of. */
function labSchemas(): Part {
  const schemas: Part = {};
  const whole = z.strictObject({ node: nodeSchema, nic: nicMappingSchema, network: networkMappingSchema });
  const { properties, $defs } = jsonSchemaOf(whole);
  const called = (name: string) => `lab.${name}`;
  for (const [name, schema] of Object.entries(isPart($defs) ? $defs : {}))
    schemas[called(name)] = relocated(schema, called);
  for (const [part, name] of Object.entries(parts))
    schemas[name] = relocated(isPart(properties) ? properties[part] : {}, called);
  return schemas;
}

/** Moves what a schema defines for itself to where all are. */
function hoist(schema: Part, schemas: Part): Part {
  const { $defs, $schema: _dialect, id: _id, ...rest } = schema;
  const same = (name: string) => name;
  for (const [name, part] of Object.entries(isPart($defs) ? $defs : {})) schemas[name] ??= relocated(part, same);
  const moved = relocated(rest, same);
  // What has a name is told by it.
  const { id } = schema;
  if (typeof id !== "string" || !isPart(moved)) return isPart(moved) ? moved : {};
  schemas[id] ??= moved;
  return ref(id);
}

function relocated(schema: unknown, called: (name: string) => string): unknown {
  if (Array.isArray(schema)) return schema.map((item) => relocated(item, called));
  if (!isPart(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
      if (key === "$ref" && typeof value === "string" && value.startsWith("#/$defs/"))
        return [[key, `#/components/schemas/${called(value.slice("#/$defs/".length))}`]];
      return key === "id" && typeof value === "string" ? [] : [[key, relocated(value, called)]];
    }),
  );
}

function ref(name: string): Part {
  return { $ref: `#/components/schemas/${name}` };
}

function isPart(value: unknown): value is Part {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
