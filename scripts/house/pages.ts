import { readFileSync } from "node:fs";
import { errorsPage, listedCodes } from "./codes.ts";
import { readPackages } from "./packages.ts";

/** A file that is generated, with the text it shall have. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** All generated files. */
export async function generatedPages(root: string): Promise<Page[]> {
  return [{ path: "docs/errors.md", text: errorsPage(await listedCodes(root, readPackages(root))) }];
}

/** The text that a file has now; empty when there is none. */
export function readPage(root: string, path: string): string {
  try {
    return readFileSync(`${root}/${path}`, "utf8");
  } catch {
    return "";
  }
}
