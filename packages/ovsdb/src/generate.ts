import { type BaseType, type ColumnSchema, parseSchema, type TableSchema } from "./schema.ts";

/**
 * TypeScript for a schema: an interface for the rows of each table, one that names the tables, and the schema itself.
 *
 * @param text an `.ovsschema` file's content
 * @param source where it came from, for the first line
 * @param runtime the module to import from
 * @throws BadSchemaError; SyntaxError when it is no JSON
 */
export function generateTypes(text: string, source: string, runtime = "@switchyard/ovsdb"): string {
  const document: unknown = JSON.parse(text);
  const schema = parseSchema(document);
  const tables = [...schema.tables.values()];
  const bodies = tables.map(tableInterface).join("\n");
  const types = ["Integer", "Uuid"].filter((type) => new RegExp(`\\b${type}\\b`).test(bodies));
  const typed = pascal(schema.name);
  return [
    `// Generated from ${source} (${schema.name} ${schema.version}) by ovsdb's generate.ts; do not edit.`,
    `import { defineSchema, type Schema${types.map((type) => `, type ${type}`).join("")} } from "${runtime}";`,
    "",
    bodies,
    `/** The tables of ${schema.name} ${schema.version}. */`,
    `export interface ${typed}Tables {`,
    ...tables.map(({ name }) => `  ${name}: ${rowName(name)};`),
    "}",
    "",
    `export const schema: Schema<${typed}Tables> = defineSchema(${compact(document)});`,
    "",
  ].join("\n");
}

function tableInterface(table: TableSchema): string {
  return [
    `/** A row of ${table.name}${table.isRoot ? "" : ", which lives as long as another refers to it"}. */`,
    `export interface ${rowName(table.name)} {`,
    "  readonly _uuid: Uuid;",
    ...[...table.columns.values()].map(
      (column) => `${remark(column)}  readonly ${column.name}: ${columnType(column)};`,
    ),
    "}",
    "",
  ].join("\n");
}

function rowName(table: string): string {
  return `${pascal(table)}Row`;
}

/** `Open_vSwitch` is OpenVSwitch: each word's first letter is a capital, the rest stays. */
function pascal(name: string): string {
  return name
    .split("_")
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join("");
}

function columnType({ shape, key, value }: ColumnSchema): string {
  switch (shape) {
    case "scalar":
      return atomType(key);
    case "optional":
      return `${atomType(key)} | undefined`;
    case "set":
      return `ReadonlySet<${atomType(key)}>`;
    case "map":
      return `ReadonlyMap<${atomType(key)}, ${value === undefined ? "never" : atomType(value)}>`;
  }
}

function atomType(base: BaseType): string {
  if (base.enum !== undefined && base.enum.length > 0)
    return base.enum.map((atom) => (typeof atom === "bigint" ? `${atom}n` : JSON.stringify(atom))).join(" | ");
  switch (base.type) {
    case "integer":
      return isSafe(base.minInteger) && isSafe(base.maxInteger) ? "number" : "Integer";
    case "real":
      return "number";
    case "boolean":
      return "boolean";
    case "string":
      return "string";
    case "uuid":
      return "Uuid";
  }
}

function isSafe(limit: number | bigint | undefined): boolean {
  return typeof limit === "number" && Number.isSafeInteger(limit);
}

/** What the type cannot say. */
function remark(column: ColumnSchema): string {
  const said: string[] = [];
  for (const base of [column.key, ...(column.value === undefined ? [] : [column.value])]) {
    if (base.refTable !== undefined) said.push(`${base.refType === "weak" ? "weakly " : ""}refers to ${base.refTable}`);
    const min = base.minInteger ?? base.minReal;
    const max = base.maxInteger ?? base.maxReal;
    if (min !== undefined || max !== undefined) said.push(`${min ?? ""}…${max ?? ""}`);
    if (base.minLength !== undefined || base.maxLength !== undefined)
      said.push(`${base.minLength ?? 0}…${base.maxLength ?? ""} characters`);
  }
  if (Number.isFinite(column.max) && column.max > 1) said.push(`at most ${column.max}`);
  if (!column.mutable) said.push("fixed at insert");
  if (column.ephemeral) said.push("ephemeral");
  return said.length === 0 ? "" : `  /** ${said.join("; ")} */\n`;
}

/** JSON with a line for each table and column. */
function compact(document: unknown, depth = 0): string {
  if (depth === 4 || typeof document !== "object" || document === null || Array.isArray(document))
    return JSON.stringify(document);
  const pad = "  ".repeat(depth + 1);
  const members = Object.entries(document).map(
    ([name, member]) => `${pad}${JSON.stringify(name)}: ${compact(member, depth + 1)}`,
  );
  return `{\n${members.join(",\n")}\n${"  ".repeat(depth)}}`;
}
