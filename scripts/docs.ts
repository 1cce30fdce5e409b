/**
 * Writes the generated pages: `bun scripts/docs.ts`. With `--check` it writes nothing and names those that are not
 * current.
 */
import { generatedPages, readPage } from "./house/pages.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const check = process.argv.includes("--check");
let stale = 0;
for (const { path, text } of await generatedPages(root)) {
  if (readPage(root, path) === text) continue;
  stale++;
  if (!check) await Bun.write(`${root}/${path}`, text);
  process.stdout.write(`${check ? "not current: " : "wrote "}${path}\n`);
}
if (check && stale > 0) process.exit(1);
