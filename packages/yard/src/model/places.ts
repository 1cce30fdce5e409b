import type { YardError } from "@switchyard/base";
import type { Place, Problems } from "./problems.ts";
import type { SourceEntry, SourceNode } from "./source.ts";

/** The way to a value from the top of the file: keys and list indexes. */
export type Path = readonly (string | number)[];

/** Finds the place in the text of what stands at a path, and reports errors there. */
export class Places {
  constructor(
    readonly root: SourceNode,
    private readonly problems: Problems,
  ) {}

  /** Reports an error at the value of a path, or at the nearest thing around it that is written. */
  report(path: Path, make: () => YardError): void {
    this.problems.add(this.place(path), make);
  }

  /** An error with the place of the value at a path, or of the nearest thing around it that is written. */
  located(path: Path, error: YardError): YardError {
    return this.problems.located(this.place(path), error);
  }

  /** Reports an error at the key of a path. */
  reportKey(path: Path, make: () => YardError): void {
    this.problems.add(this.entry(path)?.key ?? this.place(path), make);
  }

  /** `file:line:column` of a key, for naming it in a hint. */
  where(path: Path): string {
    return this.problems.where(this.entry(path)?.key ?? this.place(path));
  }

  /** The value at a path; undefined if nothing is written there. */
  node(path: Path): SourceNode | undefined {
    let node: SourceNode | undefined = this.root;
    for (const step of path) node = typeof step === "number" ? node?.items?.[step] : node?.entries?.get(step)?.node;
    return node;
  }

  /** The keys of the mapping at a path, in the file's order. */
  keys(path: Path): string[] {
    return [...(this.node(path)?.entries?.keys() ?? [])];
  }

  /** A scalar as it is spelled, for where text is meant and `1.10` must not become `1.1`. */
  spelled(path: Path): string | undefined {
    const node = this.node(path);
    return typeof node?.value === "string" ? node.value : node?.spelled;
  }

  private entry(path: Path): SourceEntry | undefined {
    const last = path.at(-1);
    return typeof last === "string" ? this.node(path.slice(0, -1))?.entries?.get(last) : undefined;
  }

  private place(path: Path): Place {
    for (let length = path.length; length > 0; length--) {
      const part = path.slice(0, length);
      const node = this.node(part);
      // A mapping or list may span many lines: its key says enough.
      if (node !== undefined) return (node.entries || node.items ? this.entry(part)?.key : undefined) ?? node;
    }
    return { start: this.root.start, end: this.root.start + 1 };
  }
}
