import { readdirSync, readFileSync } from "node:fs";

/** A room of the house as it lies on disk. */
export interface Package {
  /** `yard`, of `@switchyard/yard`. */
  readonly room: string;
  /** The rooms that its package.json lets it import, and those that only its tests may. */
  readonly imports: readonly string[];
  readonly devImports: readonly string[];
  /** Third-party packages of both lists. */
  readonly libraries: readonly string[];
  readonly sources: readonly Source[];
}

/** A TypeScript file, not generated. */
export interface Source {
  /** From the root of the project. */
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
  readonly imports: readonly Import[];
}

export interface Import {
  readonly line: number;
  /** What stands in the quotes. */
  readonly specifier: string;
  /** Whether it is done before the file that has it: not one of types alone, nor one that is called for. */
  readonly isEager: boolean;
}

/** Reads every room. */
export function readPackages(root: string): Package[] {
  return readdirSync(`${root}/packages`)
    .filter((room) => isFile(`${root}/packages/${room}/package.json`))
    .map((room) => {
      const manifest: unknown = JSON.parse(readFileSync(`${root}/packages/${room}/package.json`, "utf8"));
      const imports = dependencies(manifest, "dependencies");
      const devImports = dependencies(manifest, "devDependencies");
      const library = (name: string) => !name.startsWith("@switchyard/");
      return {
        room,
        imports: imports.filter((name) => !library(name)).map(roomOf),
        devImports: devImports.filter((name) => !library(name)).map(roomOf),
        libraries: [...imports, ...devImports].filter(library),
        sources: readSources(root, `packages/${room}`),
      };
    });
}

/** Every source file below a folder. */
export function readSources(root: string, folder: string): Source[] {
  return readdirSync(`${root}/${folder}`, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".gen.ts") && !name.includes("node_modules/"))
    .map((name) => {
      const path = `${folder}/${name}`;
      const text = readFileSync(`${root}/${path}`, "utf8");
      // Generators of random values (`arbitrary.ts`) lie beside the properties that they feed.
      const isTest = /\.test\.tsx?$|\/(tests|bench)\/|\/arbitrary[\w-]*\.ts$/.test(path);
      return { path, text, isTest, imports: importsOf(text) };
    });
}

/** `@switchyard/yard/agent` is of the room `yard`. */
export function roomOf(specifier: string): string {
  return specifier.split("/")[1] ?? "";
}

/** Static imports, re-exports, and dynamic imports of a literal. */
function importsOf(text: string): Import[] {
  const statement =
    /^\s*(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"$]+)"/gm;
  const typesOnly = /^\s*(?:import|export)\s*(?:type\b|\{(?:\s*type\s[^,}]*,?)+\s*\})/;
  return [...text.matchAll(statement)]
    .map((match) => ({
      line: text.slice(0, match.index + match[0].length).split("\n").length,
      specifier: match[1] ?? match[2] ?? match[3] ?? "",
      isEager: match[3] === undefined && !typesOnly.test(match[0]),
    }))
    .filter(({ specifier }) => !specifier.includes("${"));
}

/** The text without comments and without what stands in quotes or templates, lines kept. */
export function codeOnly(text: string): string {
  const token = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return text.replace(token, (found) => found.replace(/[^\n]/g, " "));
}

function dependencies(manifest: unknown, list: string): string[] {
  if (typeof manifest !== "object" || manifest === null) return [];
  const entry: unknown = Reflect.get(manifest, list);
  return typeof entry === "object" && entry !== null ? Object.keys(entry) : [];
}

function isFile(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
