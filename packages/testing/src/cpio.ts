/** Archives that the kernel takes for an initial RAM disk. */

/** A cpio archive in the form "newc", as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format.rst). */
export class CpioArchive {
  readonly #chunks: Buffer[] = [];
  readonly #folders = new Set<string>();
  #inode = 1;

  folder(name: string): void {
    if (this.#folders.has(name)) return;
    this.#folders.add(name);
    this.#entry(name, Buffer.alloc(0), 0o040755);
  }

  file(name: string, content: Buffer, mode: number): void {
    this.#entry(name, content, 0o100000 | mode);
  }

  end(): Buffer {
    this.#entry("TRAILER!!!", Buffer.alloc(0), 0);
    return Buffer.concat(this.#chunks);
  }

  #entry(name: string, content: Buffer, mode: number): void {
    const path = Buffer.from(`${name}\0`);
    const fields = [this.#inode++, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length, 0];
    const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
    this.#push(Buffer.concat([header, path]));
    this.#push(content);
  }

  #push(chunk: Buffer): void {
    this.#chunks.push(chunk, Buffer.alloc((4 - (chunk.length % 4)) % 4));
  }
}
