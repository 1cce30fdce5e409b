import { readdirSync } from "node:fs";
import { relative } from "node:path";

/** The test files of one room, or of the house as a whole (`house`). */
export interface Room {
  readonly name: string;
  /** Beside the code: they need neither root nor a switch. */
  readonly unit: readonly string[];
  /** With real switches and engines; each runs alone. */
  readonly system: readonly string[];
}

/** From what imports nothing to what imports all, so that the first failure is nearest to its cause. */
const order = ["base", "testing", "ovsdb", "linux", "vswitch", "runtime", "yard", "doors", "web", "cli", "house"];

/** Every room that has tests; paths are relative to `root`. */
export function findRooms(root: string): Room[] {
  const rooms = readdirSync(`${root}/packages`).map((name) => ({
    name,
    unit: ["src", "bin"].flatMap((folder) => testsBelow(root, `${root}/packages/${name}/${folder}`)),
    system: testsBelow(root, `${root}/packages/${name}/tests`),
  }));
  const house = {
    name: "house",
    unit: [...testsBelow(root, `${root}/scripts`), ...testsBelow(root, `${root}/bench`)],
    system: testsBelow(root, `${root}/tests`),
  };
  return [...rooms, house]
    .filter(({ unit, system }) => unit.length + system.length > 0)
    .sort((a, b) => place(a.name) - place(b.name) || a.name.localeCompare(b.name));
}

function place(room: string): number {
  const at = order.indexOf(room);
  return at < 0 ? order.length : at;
}

function testsBelow(root: string, folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".test.ts") && !name.includes("node_modules"))
      .map((name) => relative(root, `${folder}/${name}`))
      .sort();
  } catch {
    return [];
  }
}
