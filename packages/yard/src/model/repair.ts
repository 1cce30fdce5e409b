import type { Path } from "./places.ts";

/** A copy of the file's data that loses what is wrong. */
export class Repair {
  readonly value: unknown;
  readonly broken = new Set<string>();
  private readonly right = new Set<string>();

  constructor(raw: unknown) {
    this.value = structuredClone(raw);
  }

  /** Gives a key its right name, or takes it out. */
  rename(path: Path, key: string, right: string | undefined): void {
    const mapping = this.at(path);
    if (!isMapping(mapping) || !(key in mapping)) return;
    if (right !== undefined && !(right in mapping)) {
      mapping[right] = mapping[key];
      this.right.add(JSON.stringify([...path, right]));
    }
    delete mapping[key];
  }

  /** Whether a key that is missing here is there under a mistyped name. */
  renamed(path: Path): boolean {
    return this.right.has(JSON.stringify(path));
  }

  /** Puts in place of what a path leads to what was most likely meant. */
  correct(path: Path, value: string): void {
    const around = this.at(path.slice(0, -1));
    const last = path.at(-1);
    if (last !== undefined && (isMapping(around) || Array.isArray(around))) Object.assign(around, { [last]: value });
  }

  /** Takes out what a path leads to: the key around it that may be left out, or the whole entry. */
  drop(path: Path): void {
    const cut = optional(path);
    const last = cut.at(-1);
    const around = this.at(cut.slice(0, -1));
    this.broken.add(JSON.stringify(cut));
    if (isMapping(around) && last !== undefined) {
      if (cut.length === 1 && last === "name") around.name = "unnamed";
      else delete around[last];
    } else if (Array.isArray(around) && typeof last === "number") {
      // The place stays, with something valid in it, so that the others keep their numbers.
      around[last] = cut[0] === "links" ? { endpoints: ["", ""] } : {};
    }
  }

  private at(path: Path): unknown {
    let value = this.value;
    for (const step of path)
      value = Array.isArray(value) ? value[Number(step)] : isMapping(value) ? value[step] : undefined;
    return value;
  }
}

/** Of a path the part up to a key that may be left out without meaning something else. */
function optional(path: Path): Path {
  const [section, , key] = path;
  if (section === "nodes") {
    if (key === undefined || key === "kind" || key === "count") return path.slice(0, 2);
    if (key === "nics") return path.length > 4 ? path.slice(0, 5) : path.slice(0, 2);
    return path.slice(0, 3);
  }
  return path.slice(0, section === "networks" || section === "defaults" ? 3 : 2);
}

function isMapping(value: unknown): value is Record<string | number, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
