/** What a frame is found to say: a layer for each protocol, outermost first, each with its fields. */
export interface Dissection {
  readonly layers: readonly Layer[];
  /** Of the innermost layer that has addresses. */
  readonly source: string;
  readonly destination: string;
  /** The innermost protocol, as people call it: `ICMP`. */
  readonly protocol: string;
  /** The frame in one line. */
  readonly info: string;
}

export interface Layer {
  /** What display filters call it: `ip`. */
  readonly key: string;
  readonly title: string;
  /** Where it begins in the frame, and its bytes there without what it carries. */
  readonly offset: number;
  readonly length: number;
  readonly fields: readonly Field[];
}

export interface Field {
  /** What display filters call it: `ip.src`. */
  readonly key: string;
  readonly title: string;
  readonly value: string | number;
  /** The value in words, where that is not the value itself. */
  readonly text?: string | undefined;
  readonly offset: number;
  readonly length: number;
}

/** What a dissector of one protocol has to work with. */
export interface Work {
  readonly bytes: Bytes;
  readonly layers: Layer[];
  source: string;
  destination: string;
  protocol: string;
  info: string;
}

/** The frame ends before what it says is in it. */
export class CutShort extends Error {}

/** A frame, or the part of it that a layer may read. Offsets are those of the frame, so that fields can be shown in it. */
export class Bytes {
  constructor(
    readonly frame: Uint8Array,
    readonly start = 0,
    readonly end = frame.length,
  ) {}

  get length(): number {
    return this.end - this.start;
  }

  /** What follows the first `count` bytes, at most `length` of it. */
  after(count: number, length = this.length - count): Bytes {
    this.#need(count);
    return new Bytes(this.frame, this.start + count, Math.min(this.end, this.start + count + length));
  }

  u8(at: number): number {
    this.#need(at + 1);
    return this.frame[this.start + at] ?? 0;
  }

  u16(at: number): number {
    return this.u8(at) * 0x100 + this.u8(at + 1);
  }

  u24(at: number): number {
    return this.u16(at) * 0x100 + this.u8(at + 2);
  }

  u32(at: number): number {
    return this.u16(at) * 0x1_0000 + this.u16(at + 2);
  }

  slice(at: number, length: number): Uint8Array {
    this.#need(at + length);
    return this.frame.subarray(this.start + at, this.start + at + length);
  }

  hex(at: number, length: number): string {
    return [...this.slice(at, length)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  mac(at: number): string {
    return this.hex(at, 6).replace(/(..)(?!$)/g, "$1:");
  }

  ipv4(at: number): string {
    return this.slice(at, 4).join(".");
  }

  /** As RFC 5952 writes it. */
  ipv6(at: number): string {
    const groups = Array.from({ length: 8 }, (_, n) => this.u16(at + 2 * n).toString(16));
    const text = groups.join(":");
    const runs = [...text.matchAll(/\b0(?::0)+\b/g)];
    const longest = runs.reduce<RegExpMatchArray | undefined>(
      (best, run) => (run[0].length > (best?.[0].length ?? 0) ? run : best),
      undefined,
    );
    if (longest?.index === undefined) return text;
    const before = text.slice(0, longest.index).replace(/:$/, "");
    const after = text.slice(longest.index + longest[0].length).replace(/^:/, "");
    return `${before}::${after}`;
  }

  /** Characters that can be shown; the others are dots. */
  text(at: number, length: number): string {
    return [...this.slice(at, length)]
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."))
      .join("");
  }

  #need(count: number): void {
    if (count > this.length) throw new CutShort();
  }
}

/** Gathers the fields of one layer. */
export class LayerDraft {
  readonly fields: Field[] = [];

  constructor(
    readonly bytes: Bytes,
    private readonly key: string,
  ) {}

  /** Adds a field `<layer>.<name>` at an offset within the layer. */
  add(name: string, title: string, value: string | number, at: number, length: number, text?: string): void {
    this.fields.push({
      key: `${this.key}.${name}`,
      title,
      value,
      offset: this.bytes.start + at,
      length,
      ...(text === undefined ? {} : { text }),
    });
  }

  done(title: string, length: number): Layer {
    const { start, end } = this.bytes;
    return { key: this.key, title, offset: start, length: Math.min(length, end - start), fields: this.fields };
  }
}

/** `0x0800` of 2048. */
export function hexNumber(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}
