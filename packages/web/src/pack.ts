/** The page's files in one, so that the executable can carry them: a line of JSON that lists them, then their bytes. */
export interface PageFile {
  /** As a browser asks for it: `/index.html`. */
  readonly path: string;
  /** Of `Content-Type`. */
  readonly type: string;
  /** Compressed as `Content-Encoding: gzip` says. */
  readonly gzip: Uint8Array<ArrayBuffer>;
  /** Of `ETag`. */
  readonly etag: string;
  /** Whether its name changes with what is in it: a browser may keep it for ever. */
  readonly immutable: boolean;
}

interface Entry extends Omit<PageFile, "gzip"> {
  readonly length: number;
}

const NEWLINE = 0x0a;

export function writePack(files: readonly PageFile[]): Uint8Array<ArrayBuffer> {
  const entries: Entry[] = files.map(({ gzip, ...file }) => ({ ...file, length: gzip.length }));
  return Buffer.concat([Buffer.from(`${JSON.stringify(entries)}\n`), ...files.map(({ gzip }) => gzip)]);
}

/** @param pack of {@link writePack}'s making */
export function readPack(pack: Uint8Array<ArrayBuffer>): PageFile[] {
  let at = pack.indexOf(NEWLINE) + 1;
  const entries: readonly Entry[] = JSON.parse(new TextDecoder().decode(pack.subarray(0, at)));
  return entries.map(({ length, ...file }) => {
    const gzip = pack.subarray(at, at + length);
    at += length;
    return { ...file, gzip };
  });
}
