/**
 * Reads JSON objects of a network configuration. Keys are matched whatever their case, as the plugins do whose
 * configurations these are (and containerd writes `IngressRate` where others write `ingressRate`). All that is wrong is
 * collected, to be told at once. Written by hand: a plugin lives for milliseconds, and loading a library of schemas
 * takes several.
 */

export type JsonRecord = { readonly [key: string]: unknown };

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What is wrong with a configuration, a line each. */
export interface Problems {
  readonly wrong: string[];
  /** What is no mistake, but not served. */
  readonly unsupported: string[];
}

export class Fields {
  readonly #values = new Map<string, unknown>();
  readonly #names = new Map<string, string>();
  readonly #known = new Set<string>();

  /**
   * @param written the object, as it came
   * @param path what the object is called in messages; empty: the whole
   * @param problems gets a line for each
   */
  constructor(
    readonly written: JsonRecord,
    readonly path: string,
    readonly problems: Problems,
  ) {
    for (const [name, value] of Object.entries(written)) {
      const key = name.toLowerCase();
      const before = this.#names.get(key);
      if (before !== undefined) this.problems.wrong.push(`${this.at(name)} is given twice, as ${before} and ${name}`);
      // `null` is how some runtimes write nothing.
      if (value !== null) this.#values.set(key, value);
      this.#names.set(key, name);
    }
  }

  at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  has(name: string): boolean {
    this.#known.add(name.toLowerCase());
    return this.#values.has(name.toLowerCase());
  }

  any(name: string): unknown {
    this.has(name);
    return this.#values.get(name.toLowerCase());
  }

  string(name: string): string | undefined {
    const value = this.any(name);
    if (value === undefined || typeof value === "string") return value === "" ? undefined : value;
    return this.#wrong(name, value, "a string");
  }

  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.string(name);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    return found ?? this.#wrong(name, value, `one of ${choices.join(", ")}`);
  }

  integer(name: string, least: number, most: number): number | undefined {
    const value = this.any(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    return this.#wrong(name, value, `an integer from ${least} to ${most}`);
  }

  boolean(name: string): boolean | undefined {
    const value = this.any(name);
    if (value === undefined || typeof value === "boolean") return value;
    return this.#wrong(name, value, "true or false");
  }

  object(name: string): Fields | undefined {
    const value = this.any(name);
    if (value === undefined) return undefined;
    if (isRecord(value)) return new Fields(value, this.at(name), this.problems);
    return this.#wrong(name, value, "an object");
  }

  objects(name: string): Fields[] {
    const value = this.any(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.#wrong(name, value, "a list of objects");
      return [];
    }
    const items: readonly unknown[] = value;
    return items.flatMap((item, index) => {
      const at = `${name}[${index}]`;
      if (isRecord(item)) return [new Fields(item, this.at(at), this.problems)];
      this.#wrong(at, item, "an object");
      return [];
    });
  }

  /** Fields that nobody has asked for, as they were written. */
  unknown(): string[] {
    return [...this.#names].filter(([key]) => !this.#known.has(key)).map(([, name]) => this.at(name));
  }

  /** Notes a problem with a field. */
  wrong(name: string, problem: string): void {
    this.problems.wrong.push(`${this.at(name)} ${problem}`);
  }

  /** Notes a field whose value is not served. */
  unsupported(name: string, problem: string): void {
    this.problems.unsupported.push(`${this.at(name)} ${problem}`);
  }

  #wrong(name: string, value: unknown, expected: string): undefined {
    this.wrong(name, `is ${JSON.stringify(value)}, and should be ${expected}`);
    return undefined;
  }
}
