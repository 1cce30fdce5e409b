import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { readPack, writePack } from "./pack.ts";

test("files that are packed come out as they went in", () => {
  const file = (path: string, text: string) => ({
    path,
    type: "text/plain",
    gzip: gzipSync(text),
    etag: `"${path}"`,
    immutable: path !== "/a",
  });
  const files = [file("/a", "one\ntwo"), file("/b", "")];
  expect(readPack(writePack(files)).map(({ gzip, ...rest }) => ({ ...rest, gzip: [...gzip] }))).toEqual(
    files.map(({ gzip, ...rest }) => ({ ...rest, gzip: [...gzip] })),
  );
});
