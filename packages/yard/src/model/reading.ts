import { YardError } from "@switchyard/base";
import type { Path, Places } from "./places.ts";
import type { LabFile } from "./schema.ts";
import type { Structure } from "./structure.ts";

/** A value and where it was written. */
export interface Written<T> {
  readonly value: T;
  readonly path: Path;
}

/** A lab file under examination: its data, the way back to the text, and what surrounds it. */
export class Reading {
  readonly data: LabFile;
  private readonly doubtful = new Set<string>();

  /**
   * @param folder what relative paths are relative to, absolute
   * @param environment the caller's
   * @param images the folder of this host's images, absolute
   */
  constructor(
    readonly places: Places,
    private readonly structure: Structure,
    readonly folder: string,
    readonly environment: Readonly<Record<string, string | undefined>>,
    readonly images: string,
  ) {
    this.data = structure.data;
  }

  /** Whether what stands at a path is known to be wrong, so that nothing more should be made of it. */
  unsure(path: Path): boolean {
    return (this.doubtful.size > 0 && this.doubtful.has(JSON.stringify(path))) || this.structure.broken(path);
  }

  /** `parse(value)`; an error that it throws is reported at the path, and the result is undefined. */
  parse<V, R>(path: Path, value: V, parse: (value: V) => R): R | undefined {
    try {
      return parse(value);
    } catch (thrown) {
      if (!(thrown instanceof YardError)) throw thrown;
      this.doubtful.add(JSON.stringify(path));
      this.places.report(path, () => thrown);
      return undefined;
    }
  }

  /** As {@link parse} for one value or each of a list; those that are wrong are left out. */
  each<R>(path: Path, values: string | readonly string[] | undefined, parse: (value: string) => R): Written<R>[] {
    const list = values === undefined ? [] : typeof values === "string" ? [values] : values;
    return list.flatMap((text, index) => {
      const at = typeof values === "string" ? path : [...path, index];
      const value = this.parse(at, text, parse);
      if (value === undefined) this.doubtful.add(JSON.stringify(path));
      return value === undefined ? [] : [{ value, path: at }];
    });
  }
}
