import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CommandResult, tryRun, YardError } from "@switchyard/base";
import { complaint, findProgram } from "./daemon.ts";

/** A database file and the schema that it is made with. */
export interface DatabaseFile {
  /** An absolute path. */
  readonly file: string;
  /** The path of an `.ovsschema` file, or the document itself (it begins with a brace). */
  readonly schema: string;
}

/** The schema of a switch's own database, as Open vSwitch's packages install it. */
export const SWITCH_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema";

/** What we need to know of a schema. */
export interface SchemaDocument {
  readonly name: string;
  readonly version: string;
  readonly text: string;
}

/** @throws YardError `switch.bad-schema` */
export function readSchema(schema: string): SchemaDocument {
  try {
    const text = schema.trimStart().startsWith("{") ? schema : readFileSync(schema, "utf8");
    const document: unknown = JSON.parse(text);
    if (
      typeof document === "object" &&
      document !== null &&
      "name" in document &&
      typeof document.name === "string" &&
      "version" in document &&
      typeof document.version === "string"
    )
      return { name: document.name, version: document.version, text };
    throw new Error("it has no name and version");
  } catch (cause) {
    throw new YardError("switch.bad-schema", `no database schema can be read: ${message(cause)}`, {
      cause,
      where: schema.slice(0, 120),
    });
  }
}

/**
 * Makes the file where it is missing, all of it or nothing, and brings one of an older schema up to ours.
 *
 * @throws YardError `switch.database-corrupt`, `switch.database-newer`, `switch.database-other`,
 * `switch.database-in-use`, `switch.disk-full`, `switch.database-failed`
 */
export async function prepareDatabaseFile(database: DatabaseFile, signal?: AbortSignal): Promise<void> {
  const ours = readSchema(database.schema);
  const { file } = database;
  // A crash between making and filling a file leaves an empty one.
  if (!existsSync(file) || statSync(file).size === 0) return create(file, ours, signal);
  const [name, version] = await Promise.all([ask("db-name", file, signal), ask("db-version", file, signal)]);
  if (name !== ours.name)
    throw new YardError("switch.database-other", `${file} holds a database ${name}, not ${ours.name}`, { where: file });
  const order = compareVersions(version, ours.version);
  if (order > 0)
    throw new YardError("switch.database-newer", `${file} has schema ${version}; this program knows ${ours.version}`, {
      where: file,
      hint: "use the newer release that wrote it, or move the file away",
    });
  if (order < 0)
    await withSchemaFile(file, ours, async (schema) => {
      await tool(["convert", file, schema], file, signal);
    });
}

/** Less than, equal to or greater than 0 as `a` is older than, equal to or newer than `b`; both are `x.y.z`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

async function create(file: string, schema: SchemaDocument, signal?: AbortSignal): Promise<void> {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    rmSync(file, { force: true });
    await withSchemaFile(file, schema, async (path) => {
      const temporary = ownFile(file, "new");
      try {
        await tool(["create", temporary, path], file, signal);
        // Whoever was quicker may serve the file already, so it must not be replaced.
        if (!existsSync(file)) linkSync(temporary, file);
      } finally {
        rmSync(temporary, { force: true });
        rmSync(lockOf(temporary), { force: true });
      }
    });
  } catch (thrown) {
    throw thrown instanceof YardError ? thrown : failure(file, message(thrown), thrown);
  }
}

async function withSchemaFile(file: string, schema: SchemaDocument, body: (path: string) => Promise<void>) {
  const path = ownFile(file, "schema");
  try {
    writeFileSync(path, schema.text);
    await body(path);
  } catch (thrown) {
    throw thrown instanceof YardError ? thrown : failure(file, message(thrown), thrown);
  } finally {
    rmSync(path, { force: true });
  }
}

/** A name beside `file` that nobody else uses. */
function ownFile(file: string, extension: string): string {
  return `${file}.${crypto.randomUUID().slice(0, 8)}.${extension}`;
}

/** ovsdb(7): the lock file beside a database file. */
function lockOf(file: string): string {
  return join(dirname(file), `.${file.slice(file.lastIndexOf("/") + 1)}.~lock~`);
}

function ask(command: "db-name" | "db-version", file: string, signal?: AbortSignal): Promise<string> {
  return tool([command, file], file, signal);
}

async function tool(args: readonly string[], file: string, signal?: AbortSignal): Promise<string> {
  const result: CommandResult = await tryRun([findProgram("ovsdb-tool"), "-vconsole:off", ...args], {
    ...(signal === undefined ? {} : { signal }),
  });
  if (result.code !== 0) throw failure(file, complaint(result, "ovsdb-tool"));
  return result.stdout.trim();
}

/** The error that a complaint of ovsdb-tool or ovsdb-server about a file stands for. */
export function failure(file: string, said: string, cause?: unknown): YardError {
  const where = { where: file, cause };
  if (/no space left|disk quota exceeded|ENOSPC|EDQUOT/i.test(said))
    return new YardError("switch.disk-full", `no space left for the database ${file}`, {
      ...where,
      hint: "free some space in that file system",
    });
  if (/lock/i.test(said))
    return new YardError("switch.database-in-use", `${file} is served by another process: ${said}`, {
      ...where,
      hint: `see who has it: fuser ${file}`,
    });
  if (/unexpected file format|error reading|parse error|syntax error|does not match|checksum|ovsdb error/i.test(said))
    return new YardError("switch.database-corrupt", `${file} is no intact database: ${said}`, {
      ...where,
      hint: `move it away (mv ${file} ${file}.broken); a new one is made`,
    });
  return new YardError("switch.database-failed", `the database ${file} cannot be used: ${said}`, where);
}

function message(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
