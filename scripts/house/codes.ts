import type { Package } from "./packages.ts";

/** One error code as a room lists it. */
export interface ListedCode {
  readonly code: string;
  /** What it means and what to do. */
  readonly meaning: string;
  /** Those that list it. */
  readonly rooms: readonly string[];
}

/** Every code that a room lists in a `codes.ts`; the `ovsdb` room has a class for each, whose docstring is the meaning. */
export async function listedCodes(root: string, packages: readonly Package[]): Promise<ListedCode[]> {
  const lists = packages.flatMap(({ room, sources }) =>
    sources.filter(({ path }) => path.endsWith("/codes.ts")).map(({ path }) => ({ room, path })),
  );
  const listed: ListedCode[] = [];
  for (const { room, path } of lists) {
    const module: unknown = await import(`${root}/${path}`);
    if (typeof module !== "object" || module === null) throw new Error(`${path} is no module`);
    for (const [name, codes] of Object.entries(module)) {
      if (!/^codes$|Codes$/.test(name) || typeof codes !== "object" || codes === null) continue;
      for (const [code, meaning] of Object.entries(codes))
        listed.push({ code, meaning: String(meaning), rooms: [room] });
    }
  }
  for (const { room, sources } of packages)
    for (const { text, isTest } of sources)
      if (!isTest) listed.push(...errorClasses(text).map((entry) => ({ ...entry, rooms: [room] })));
  return [...Map.groupBy(listed, ({ code }) => code).values()]
    .flatMap(([first, ...others]) =>
      first ? { ...first, rooms: [...new Set([first, ...others].flatMap(({ rooms }) => rooms))].sort() } : [],
    )
    .sort((a, b) => (a.code < b.code ? -1 : 1));
}

/** Classes whose constructor hands a literal code to its parent, with their docstring. */
function errorClasses(text: string): { code: string; meaning: string }[] {
  const shape =
    /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export class \w+ extends \w*Error\s*\{(?:(?!\n\})[\s\S])*?super\(\s*"([a-z0-9-]+\.[a-z0-9-]+)"/g;
  return [...text.matchAll(shape)].map(([, comment = "", code = ""]) => ({ code, meaning: sentence(comment) }));
}

/** The literal codes with which `YardError`s are made in a source. */
export function thrownCodes(text: string): { code: string; line: number }[] {
  const sites =
    /\bnew YardError\(\s*"([^"]*)"|\bdeadline\(\s*[^,"]+,\s*"([^"]*)"|\basYardError\(\s*[^,"()]+,\s*"([^"]*)"/g;
  return [...text.matchAll(sites)].map((match) => ({
    code: match[1] ?? match[2] ?? match[3] ?? "",
    line: text.slice(0, match.index).split("\n").length,
  }));
}

/** docs/errors.md. */
export function errorsPage(listed: readonly ListedCode[]): string {
  const subjects = Map.groupBy(listed, ({ code }) => code.slice(0, code.indexOf(".")));
  const sections = [...subjects].map(([subject, codes]) => {
    const rows = codes.map(({ code, meaning, rooms }) => `| \`${code}\` | ${cell(meaning)} | ${rooms.join(", ")} |`);
    return `## ${subject}\n\n| code | what it means, what to do | room |\n|---|---|---|\n${rows.join("\n")}\n`;
  });
  return `# Errors

Every failure has a code, \`subject.problem\`, that stays the same from release to release: programs match on it, people
search for it here. \`yard\` prints it with what was wrong, where, and what to do; \`--json\` gives \`code\`, \`message\`,
\`hint\` and \`where\`; a node or network that could not be made bears it in its row until it is made.

This page is generated from the rooms' own lists by \`make docs\`.

${sections.join("\n")}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

function sentence(comment: string): string {
  return comment
    .split("\n")
    .map((line) => line.replace(/^\s*\*?\s?/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("@"))
    .join(" ")
    .replaceAll(/\{@link (\w+)\}/g, "`$1`");
}
