/** The reference of the lab file in Markdown, made of the schema. */
import { z } from "zod";
import { labSchema } from "./schema.ts";
import { KINDS } from "./schema-nodes.ts";

type Json = z.core.JSONSchema.JSONSchema;

/** The tables in reading order: the schema's name of each, its heading, and what is said before it. */
const SECTIONS: readonly (readonly [string, string, string])[] = [
  ["lab", "The file", ""],
  ["network", "A network", "An entry of `networks`. Nothing behind the colon is the same as `{}`."],
  ["netns", "A node of kind netns", "An entry of `nodes`."],
  ["container", "A node of kind container", "An entry of `nodes`. Needs `image` or `rootfs`."],
  [
    "vm",
    "A node of kind vm",
    "An entry of `nodes`. Needs `image`, `disks`, `kernel` or `iso` to boot from; see [vm.md](vm.md).",
  ],
  ["disk", "A disk of a vm", "An entry of `disks`; a text alone is its `file`."],
  ["cloud-init", "What cloud-init is told", "Under `cloud_init`."],
  ["a2b", "A node of kind a2b", "An entry of `nodes`. See [impairment.md](impairment.md)."],
  ["tap", "A node of kind tap", "An entry of `nodes`."],
  ["nat", "A node of kind nat", "An entry of `nodes`."],
  ["c2c", "A node of kind c2c", "An entry of `nodes`. See [c2c.md](c2c.md)."],
  ["phy", "A node of kind phy", "An entry of `nodes`. See [c2c.md](c2c.md#phy-a-nic-of-the-host)."],
  ["nic", "A nic", "An entry of a node's `nics`; a text alone is the name of the network."],
  ["route", "A route", "An entry of `routes`, of a node or a nic."],
  ["impair", "The impairment of a nic", "Under `impair`; [impairment.md](impairment.md) tells more."],
  ["link", "A link", "An entry of `links`."],
  ["link-impair", "The impairment of a link", "Under `impair`."],
  ["check", "A check", "An entry of `checks`: one of `ping`, `tcp` and `exec`, and what is said of it."],
  ["defaults", "Defaults", "Under `defaults`."],
];

/** Every key: its type, what it is without one, and what it means. */
export function reference(): string {
  const schema = z.toJSONSchema(labSchema, { io: "input", target: "draft-2020-12" });
  const sections = SECTIONS.map(([id, heading, words]) => {
    const part = id === "lab" ? schema : (schema.$defs?.[id] ?? {});
    return [`### ${heading}`, words, table(part)].filter((text) => text !== "").join("\n\n");
  });
  return `## Reference\n\n${sections.join("\n\n")}\n`;
}

function table(part: Json): string {
  const lines = ["| key | type | default | meaning |", "|---|---|---|---|", ...rows(part, "")];
  return lines.join("\n");
}

function rows(part: Json, prefix: string): string[] {
  return Object.entries(part.properties ?? {}).flatMap(([key, field]) => {
    if (typeof field === "boolean") return [];
    const name = `${prefix}${key}`;
    const needed = part.required?.includes(key) ?? false;
    const cells = [`\`${name}\``, type(field), needed ? "needed" : defaultOf(field), meaning(field)];
    const row = `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
    // The keys of a small mapping stand with it; those of a node's defaults are the node's own.
    return [row, ...(name.includes(".") || isKind(key) ? [] : rows(field, `${name}.`))];
  });
}

function isKind(key: string): boolean {
  return KINDS.some((kind) => kind === key);
}

function defaultOf(field: Json): string {
  if (typeof field.otherwise === "string") return field.otherwise;
  if (field.default === undefined) return "";
  const value = JSON.stringify(field.default);
  return value === "[]" || value === "{}" ? "none" : `\`${String(field.default)}\``;
}

function meaning(field: Json): string {
  const examples = Array.isArray(field.examples) ? field.examples.map((one) => `\`${written(one)}\``) : [];
  return [field.description ?? "", ...(examples.length > 0 ? [`For instance ${examples.join(", ")}.`] : [])].join(" ");
}

/** A value as YAML writes it on one line. */
function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, one]) => `${key}: ${written(one)}`)
      .join(", ")} }`;
  return typeof value === "string" && /[:{}[\],&*#?|<>=!%@` -]/.test(value) && !/^[\w./-]+$/.test(value)
    ? JSON.stringify(value)
    : String(value);
}

/** A type in words. */
function type(field: z.core.JSONSchema._JSONSchema): string {
  if (typeof field === "boolean") return "any";
  if (field.$ref !== undefined) return section(field.$ref.replace("#/$defs/", ""));
  if (field.const !== undefined) return `\`${field.const}\``;
  if (field.enum !== undefined) return field.enum.map((value) => `\`${value}\``).join(", ");
  const branches = field.anyOf ?? (Array.isArray(field.oneOf) && field.type === undefined ? field.oneOf : undefined);
  if (branches !== undefined)
    return branches
      .map(type)
      .filter((word) => word !== "nothing")
      .join(" or ");
  if (Array.isArray(field.type)) return field.type.map((one) => type({ type: one })).join(" or ");
  switch (field.type) {
    case "string":
      return "text";
    case "boolean":
      return "true, false";
    case "null":
      return "nothing";
    case "integer":
    case "number":
      return range(field);
    case "array":
      return typeof field.items === "object" && !Array.isArray(field.items) ? `list of ${type(field.items)}` : "list";
    case "object":
      return typeof field.additionalProperties === "object" ? `name → ${type(field.additionalProperties)}` : "mapping";
    default:
      return "any";
  }
}

function range({ type: kind, minimum, maximum, exclusiveMinimum }: Json): string {
  const word = kind === "integer" ? "integer" : "number";
  if (exclusiveMinimum !== undefined)
    return `${word} over ${exclusiveMinimum}${maximum === undefined ? "" : `, to ${maximum}`}`;
  const open = minimum === undefined || Math.abs(minimum) === Number.MAX_SAFE_INTEGER;
  if (open) return word;
  return maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
    ? `${word} from ${minimum}`
    : `${word} ${minimum}..${maximum}`;
}

function section(id: string): string {
  const heading = SECTIONS.find(([name]) => name === id)?.[1];
  return heading === undefined ? id : `[${id}](#${heading.toLowerCase().replaceAll(" ", "-")})`;
}
