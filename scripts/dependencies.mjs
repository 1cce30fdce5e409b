// Exits 0 when node_modules holds what package-lock.json asks for, 1 otherwise. Plain JavaScript for the Node that
// comes with npm: it decides whether Bun has to be installed yet.
import { readFileSync } from "node:fs";

const wanted = packages("package-lock.json");
const held = packages("node_modules/.package-lock.json");
process.exit(wanted && held && Object.entries(wanted).every(matches) ? 0 : 1);

/** npm records what it has installed in a lock file of the same form inside node_modules. */
function packages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

function matches([path, entry]) {
  if (!path.startsWith("node_modules/")) return true;
  const has = held[path];
  // Optional ones are those of other platforms; they are in the lock file only.
  if (has === undefined) return entry.optional === true;
  return has.version === entry.version && has.link === entry.link;
}
