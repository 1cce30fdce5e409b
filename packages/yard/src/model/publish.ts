/**
 * Writes what is published of the lab file: `schemas/lab.schema.json` for editors, and the reference in
 * `docs/lab-file.md`. Run it as `bun packages/yard/src/model/publish.ts` after a change of the schema.
 */
import { resolve } from "node:path";
import { labJsonSchema } from "./json-schema.ts";
import { reference } from "./reference.ts";

const root = resolve(import.meta.dir, "../../../..");
const BEGIN = "<!-- The reference is written by `bun packages/yard/src/model/publish.ts`. -->";

/** The published files by absolute path, as they should be. */
export async function published(): Promise<Map<string, string>> {
  const guide = resolve(root, "docs/lab-file.md");
  const [written] = (await Bun.file(guide).text()).split(BEGIN);
  return new Map([
    [resolve(root, "schemas/lab.schema.json"), `${JSON.stringify(labJsonSchema(), undefined, 2)}\n`],
    [guide, `${written}${BEGIN}\n\n${reference()}`],
  ]);
}

if (import.meta.main) for (const [file, text] of await published()) await Bun.write(file, text);
