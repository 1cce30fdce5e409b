import { basename, dirname } from "node:path";
import { watchFolder } from "@switchyard/linux";
import type { LabView } from "@switchyard/yard/view";
import { etagOf, readText } from "./texts.ts";

/** Milliseconds that an editor may take to write a file. */
const SETTLE = 100;

/** Watches the files of labs: who edits one elsewhere is seen here. */
export class LabTexts {
  readonly #watches = new Map<string, { readonly file: string; readonly watch: Disposable; etag: string | null }>();
  #settling: Timer | undefined;

  /** @param onChange told of texts that are other than before */
  constructor(private readonly onChange: (lab: string, etag: string | null) => void) {}

  /** Watches the files of these labs, and no others any more. */
  follow(labs: readonly LabView[]): void {
    const files = new Map(labs.flatMap(({ name, file }) => (file === "" ? [] : [[name, file]])));
    for (const [name, { file, watch }] of this.#watches) {
      if (files.get(name) === file) continue;
      watch[Symbol.dispose]();
      this.#watches.delete(name);
    }
    for (const [name, file] of files) {
      if (this.#watches.has(name)) continue;
      const watch = watched(file, () => this.#changed());
      if (watch !== undefined) this.#watches.set(name, { file, watch, etag: etag(file) });
    }
  }

  /** What is told already is not told again. */
  know(lab: string, etag: string | null): void {
    const known = this.#watches.get(lab);
    if (known !== undefined) known.etag = etag;
  }

  #changed(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      for (const [lab, known] of this.#watches) {
        const now = etag(known.file);
        if (now !== known.etag) this.onChange(lab, now);
      }
    }, SETTLE);
  }
}

function etag(file: string): string | null {
  const text = readText(file);
  return text === undefined ? null : etagOf(text);
}

/** Most editors put a new file in the place of the old one, so it is the folder that is watched. */
function watched(file: string, listener: () => void): Disposable | undefined {
  try {
    return watchFolder(
      dirname(file),
      (names) => {
        if (names === undefined || names.has(basename(file))) listener();
      },
      { writes: true },
    );
  } catch {
    // A folder that is gone changes no more.
    return undefined;
  }
}
