/** Builds the page: `bun packages/web/build.ts` bundles src/page and writes dist/page.pack, which the executable carries. */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { type PageFile, writePack } from "./src/pack.ts";

const room = new URL(".", import.meta.url).pathname;

const { outputs } = await Bun.build({
  entrypoints: [`${room}src/page/index.html`],
  target: "browser",
  splitting: true,
  minify: true,
  publicPath: "/",
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  naming: { entry: "[name].[ext]", chunk: "[name]-[hash].[ext]", asset: "[name]-[hash].[ext]" },
});
const files = await Promise.all(
  outputs.map(async (output): Promise<PageFile> => {
    const name = basename(output.path);
    const bytes = new Uint8Array(await output.arrayBuffer());
    const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 16)}"`;
    return {
      path: `/${name}`,
      type: output.type,
      gzip: gzipSync(bytes, { level: 9 }),
      etag,
      immutable: /-\w{8}\./.test(name),
    };
  }),
);
mkdirSync(`${room}dist`, { recursive: true });
await Bun.write(`${room}dist/page.pack`, writePack(files));
const total = files.reduce((sum, { gzip }) => sum + gzip.length, 0);
process.stdout.write(`built the page: ${files.length} files, ${(total / 1024).toFixed(0)} KiB compressed\n`);
