/// <reference path="./page-pack.d.ts" />
/** The page, for whoever serves it. */
import pack from "../dist/page.pack" with { type: "file" };
import { readPack } from "./pack.ts";

/** A file of the page, as a browser gets it. */
export interface ServedFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What `bytes` are compressed by. */
  readonly encoding: "gzip";
  readonly etag: string;
  readonly immutable: boolean;
}

/** Reads the page's files out of the executable. By their paths; the page itself is `/index.html`. */
export async function openPage(): Promise<ReadonlyMap<string, ServedFile>> {
  const files = readPack(new Uint8Array(await Bun.file(pack).arrayBuffer()));
  return new Map(files.map(({ path, gzip, ...file }) => [path, { ...file, bytes: gzip, encoding: "gzip" }]));
}
