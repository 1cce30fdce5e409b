import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { listedCodes, thrownCodes } from "../scripts/house/codes.ts";
import { codeOnly, type Package, readPackages, readSources, roomOf } from "../scripts/house/packages.ts";
import { generatedPages, readPage } from "../scripts/house/pages.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Who may import whom: docs/architecture.md's table. Nothing imports upward. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  testing: ["base"],
  ovsdb: ["base"],
  linux: ["base"],
  vswitch: ["base", "ovsdb", "linux"],
  runtime: ["base", "linux"],
  yard: ["base", "ovsdb", "vswitch", "linux", "runtime"],
  doors: ["base", "ovsdb", "vswitch", "linux", "runtime", "yard"],
  web: ["yard"],
  cli: ["base", "ovsdb", "vswitch", "linux", "runtime", "yard", "doors", "web"],
};

const packages = readPackages(root);
const everySource = [
  ...packages.flatMap(({ sources }) => sources),
  ...["scripts", "bench", "tests"].flatMap((folder) => readSources(root, folder)),
];

describe("the rooms", () => {
  test("the table of who may import whom has the rooms that there are", () => {
    expect(packages.map(({ room }) => room).toSorted()).toEqual(Object.keys(mayImport).toSorted());
  });

  test("a room declares only what the table lets it import", () => {
    const wrong = packages.flatMap(({ room, imports }) =>
      imports.filter((other) => !mayImport[room]?.includes(other)).map((other) => `${room} declares ${other}`),
    );
    expect(wrong).toEqual([]);
  });

  test("a source imports only what its room declares", () => {
    expect(packages.flatMap(undeclaredImports)).toEqual([]);
  });

  test("a source reaches into no other room by path", () => {
    const wrong = packages.flatMap(({ room, sources }) =>
      sources.flatMap(({ path, imports }) =>
        imports
          .filter(({ specifier }) => specifier.startsWith("."))
          .filter(({ specifier }) => !normalize(join(dirname(path), specifier)).startsWith(`packages/${room}/`))
          .map(({ line, specifier }) => `${path}:${line} imports ${specifier}`),
      ),
    );
    expect(wrong).toEqual([]);
  });

  test("a room is imported by its public face only", () => {
    const wrong = everySource.flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier }) => specifier.startsWith("@switchyard/") && specifier.split("/").length > 2)
        .filter(({ specifier }) => !isExported(specifier))
        .map(({ line, specifier }) => `${path}:${line} imports ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  test("what is shipped never imports what is for tests", () => {
    const wrong = packages
      .filter(({ room }) => room !== "testing")
      .flatMap(({ sources }) =>
        sources
          .filter(({ isTest }) => !isTest)
          .flatMap(({ path, imports }) =>
            imports
              .filter(({ specifier }) => specifier === "@switchyard/testing" || specifier.startsWith("bun:test"))
              .map(({ line }) => `${path}:${line}`),
          ),
      );
    expect(wrong).toEqual([]);
  });

  test("the page takes types alone from other rooms", () => {
    const wrong = packages
      .filter(({ room }) => room === "web")
      .flatMap(({ sources }) => sources.filter(({ isTest }) => !isTest))
      .flatMap(({ path, text }) =>
        [...text.matchAll(/^(?:import|export)(?! type\b)[^;]*?from "(@switchyard\/[^"]+)"/gm)].map(
          ([, specifier]) => `${path} imports ${specifier}`,
        ),
      );
    expect(wrong).toEqual([]);
  });

  test("rooms depend on each other without a cycle", () => {
    const importsOf = (room: string) => packages.find((entry) => entry.room === room)?.imports ?? [];
    expect(
      cycles(
        packages.map(({ room }) => room),
        importsOf,
      ),
    ).toEqual([]);
  });

  test("so do sources, but for types and what is loaded when it is called for, and frames that are within frames", () => {
    const within = "packages/web/src/page/dissect/";
    const byPath = new Map(everySource.map((source) => [source.path, source]));
    const importsOf = (path: string) =>
      (byPath.get(path)?.imports ?? [])
        .filter(({ specifier, isEager }) => specifier.startsWith(".") && isEager)
        .map(({ specifier }) => normalize(join(dirname(path), specifier)))
        .filter((other) => !other.startsWith(within));
    expect(cycles([...byPath.keys()], importsOf)).toEqual([]);
  });

  test("libraries are pinned to an exact version", () => {
    const wrong = packages.flatMap(({ room, libraries }) => {
      const manifest = readFileSync(`${root}/packages/${room}/package.json`, "utf8");
      return libraries
        .filter((name) => !new RegExp(`"${name}":\\s*"\\d+\\.\\d+\\.\\d+[^"]*"`).test(manifest))
        .map((name) => `${room}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe("the sources", () => {
  test("say no `any` and silence no type error", () => {
    const wrong = everySource.flatMap(({ path, text }) =>
      [
        ...codeOnly(text).matchAll(/(?::|\bas|<|,|\||=)\s*any\b(?!\s*[:=(])/g),
        ...text.matchAll(/^\s*\/\/\s*@ts-(?:ignore|nocheck|expect-error)/gm),
      ].map((match) => `${path}:${text.slice(0, match.index).split("\n").length}`),
    );
    expect(wrong).toEqual([]);
  });

  test("run commands by argument vector, never through a shell", () => {
    const shell =
      /\bexecSync\s*\(|\bchild_process\.exec\s*\(|\bimport\s*\{[^}]*\bexec\b[^}]*\}\s*from\s*"node:child_process"|\bshell:\s*true|\bBun\.\$|\bimport\s*\{[^}]*\$[^}]*\}\s*from\s*"bun"/g;
    const wrong = everySource
      .filter(({ path }) => path !== "tests/architecture.test.ts")
      .flatMap(({ path, text }) => {
        return [...text.matchAll(shell)].map(
          (match) => `${path}:${text.slice(0, match.index).split("\n").length} ${match[0]}`,
        );
      });
    expect(wrong).toEqual([]);
  });
});

describe("error codes", () => {
  test("every code that is thrown is listed by its room or one that it imports", async () => {
    const listed = await listedCodes(root, packages);
    const known = (room: string, code: string) =>
      listed.some((entry) => entry.code === code && entry.rooms.includes(room));
    const wrong = packages
      .filter(({ room }) => room !== "testing")
      .flatMap(({ room, imports, sources }) =>
        sources
          .filter(({ isTest }) => !isTest)
          .flatMap(({ path, text }) =>
            thrownCodes(text)
              .filter(({ code }) => ![room, ...imports].some((place) => known(place, code)))
              .map(({ code, line }) => `${path}:${line} ${code}`),
          ),
      );
    expect(wrong).toEqual([]);
  });

  test("every code that a room lists is used there", async () => {
    const wrong = (await listedCodes(root, packages)).flatMap(({ code, rooms }) =>
      rooms.filter((room) => !usesCode(room, code)).map((room) => `${room}: ${code}`),
    );
    expect(wrong).toEqual([]);
  });

  test("a code is a subject and a problem, in lower case with hyphens", async () => {
    const codes = (await listedCodes(root, packages)).map(({ code }) => code);
    expect(codes.filter((code) => !/^[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*$/.test(code))).toEqual([]);
  });
});

describe("what is generated", () => {
  test("is the same of the switch's schema in the tests of ovsdb, which must not know of the room that has it", () => {
    const [own, other] = ["ovsdb/tests", "vswitch/schema"].map((folder) =>
      readFileSync(`${root}/packages/${folder}/open_vswitch.gen.ts`, "utf8"),
    );
    expect(own).toBe(other ?? "");
  });

  test("is current (`make docs` makes it so)", async () => {
    const stale = (await generatedPages(root)).filter(({ path, text }) => readPage(root, path) !== text);
    expect(stale.map(({ path }) => path)).toEqual([]);
  });
});

function undeclaredImports({ room, imports, devImports, libraries, sources }: Package): string[] {
  return sources.flatMap((source) => {
    const rooms = [room, ...imports, ...(source.isTest ? ["testing", ...devImports] : [])];
    return source.imports
      .filter(({ specifier }) => !specifier.startsWith(".") && !/^(node|bun)(:|$)/.test(specifier))
      .filter(({ specifier }) =>
        specifier.startsWith("@switchyard/")
          ? !rooms.includes(roomOf(specifier))
          : ![...libraries, ...(source.isTest ? ["fast-check"] : [])].some(
              (name) => specifier === name || specifier.startsWith(`${name}/`),
            ),
      )
      .map(({ line, specifier }) => `${source.path}:${line} imports ${specifier}`);
  });
}

/** Whether a package.json's `exports` offers that path. */
function isExported(specifier: string): boolean {
  const [, room = "", ...rest] = specifier.split("/");
  const file = `${root}/packages/${room}/package.json`;
  if (!existsSync(file)) return false;
  const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
  const faces: unknown =
    typeof manifest === "object" && manifest !== null ? Reflect.get(manifest, "exports") : undefined;
  return typeof faces === "object" && faces !== null && `./${rest.join("/")}` in faces;
}

function usesCode(room: string, code: string): boolean {
  return packages
    .filter((entry) => entry.room === room)
    .some(({ sources }) =>
      sources.some(({ path, text, isTest }) => !isTest && !path.endsWith("/codes.ts") && text.includes(`"${code}"`)),
    );
}

/** The ways that lead back to where they have been. */
function cycles(all: readonly string[], next: (at: string) => readonly string[]): string[] {
  const done = new Set<string>();
  const visit = (at: string, way: readonly string[]): string[] => {
    if (way.includes(at)) return [[...way.slice(way.indexOf(at)), at].join(" → ")];
    if (done.has(at)) return [];
    const found = next(at).flatMap((other) => visit(other, [...way, at]));
    done.add(at);
    return found;
  };
  return all.flatMap((at) => visit(at, []));
}
