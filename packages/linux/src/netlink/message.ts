/** Netlink's wire format (netlink(7)): messages of a 16-byte header, a fixed part and attributes, aligned to 4. */
import { YardError } from "@switchyard/base";
import { littleEndian } from "../ffi.ts";

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;
export const NLM_F_EXCL = 0x200;
export const NLM_F_DUMP = 0x300;
export const NLM_F_CREATE = 0x400;
const NLA_F_NESTED = 0x8000;
const NLMSG_HEADER = 16;

/** The two highest bits of an attribute's type are flags. */
const typeMask = 0x3fff;
const align = (length: number): number => (length + 3) & ~3;

/** Writes messages one after the other into one buffer, which grows as needed. */
export class MessageWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(size = 4096) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written, a view of the buffer: valid until the next write. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** One message: header, then what `body` writes. */
  message(type: number, flags: number, sequence: number, body: () => void): void {
    const start = this.#length;
    this.u32(0).u16(type).u16(flags).u32(sequence).u32(0);
    body();
    this.#view.setUint32(start, this.#length - start, littleEndian);
    this.#pad();
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value, littleEndian);
    this.#length += 2;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value >>> 0, littleEndian);
    this.#length += 4;
    return this;
  }

  raw(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  attribute(type: number, value: Uint8Array): this {
    this.u16(4 + value.length).u16(type);
    this.raw(value).#pad();
    return this;
  }

  attributeU8(type: number, value: number): this {
    this.u16(5).u16(type).u8(value).#pad();
    return this;
  }

  attributeU32(type: number, value: number): this {
    return this.u16(8).u16(type).u32(value);
  }

  /** A string with its terminating NUL. */
  attributeText(type: number, value: string): this {
    return this.attribute(type, Buffer.from(`${value}\0`, "utf8"));
  }

  nested(type: number, body: () => void): this {
    const start = this.#length;
    this.u16(0).u16(type | NLA_F_NESTED);
    body();
    this.#view.setUint16(start, this.#length - start, littleEndian);
    this.#pad();
    return this;
  }

  #pad(): void {
    const end = align(this.#length);
    this.#reserve(end - this.#length);
    this.#bytes.fill(0, this.#length, end);
    this.#length = end;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** A message in a received buffer; `start` and `end` bound what follows its header. */
export interface ReceivedMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly reader: Reader;
  readonly start: number;
  readonly end: number;
}

/** Reads integers, text and attributes at offsets of one received buffer, without copying. */
export class Reader {
  readonly #view: DataView;
  readonly #buffer: Buffer;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(offset: number): number {
    return this.#view.getUint8(offset);
  }

  u16(offset: number): number {
    return this.#view.getUint16(offset, littleEndian);
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, littleEndian);
  }

  i32(offset: number): number {
    return this.#view.getInt32(offset, littleEndian);
  }

  /** A view of the bytes, valid as long as the buffer is not received into again. */
  slice(start: number, end: number): Uint8Array {
    return this.#buffer.subarray(start, end);
  }

  /** Text up to its NUL or `end`. */
  text(start: number, end: number): string {
    const nul = this.#buffer.indexOf(0, start);
    return this.#buffer.toString("utf8", start, nul >= 0 && nul < end ? nul : end);
  }

  /**
   * Calls `each` with type (flags taken off) and bounds of every attribute between two offsets.
   *
   * @throws YardError `netlink.malformed` when a length does not fit
   */
  attributes(start: number, end: number, each: (type: number, start: number, end: number) => void): void {
    let at = start;
    while (at + 4 <= end) {
      const length = this.u16(at);
      if (length < 4 || at + length > end)
        throw new YardError("netlink.malformed", `a netlink attribute of ${length} bytes at ${at} does not fit`);
      each(this.u16(at + 2) & typeMask, at + 4, at + length);
      at += align(length);
    }
  }

  /**
   * The messages of the first `length` bytes.
   *
   * @throws YardError `netlink.malformed` when a length does not fit
   */
  *messages(length: number): Generator<ReceivedMessage> {
    let at = 0;
    while (at + NLMSG_HEADER <= length) {
      const size = this.u32(at);
      if (size < NLMSG_HEADER || at + size > length)
        throw new YardError("netlink.malformed", `a netlink message of ${size} bytes at ${at} does not fit`);
      yield {
        type: this.u16(at + 4),
        flags: this.u16(at + 6),
        sequence: this.u32(at + 8),
        reader: this,
        start: at + NLMSG_HEADER,
        end: at + size,
      };
      at += align(size);
    }
  }
}

/** The kernel's answer to one request. */
export interface Acknowledgement {
  readonly sequence: number;
  /** 0, or the errno as a positive number. */
  readonly errno: number;
  /** The kernel's own sentence (NLMSGERR_ATTR_MSG), or empty. */
  readonly text: string;
}

const NLMSGERR_ATTR_MSG = 1;

/** Reads an NLMSG_ERROR message: `struct nlmsgerr`, the request unless it is capped, and extended attributes. */
export function acknowledgement(message: ReceivedMessage): Acknowledgement {
  const { reader, start, end, flags, sequence } = message;
  const errno = 0 - reader.i32(start);
  let text = "";
  if (flags & NLM_F_ACK_TLVS) {
    const request = flags & NLM_F_CAPPED ? NLMSG_HEADER : align(reader.u32(start + 4));
    reader.attributes(start + 4 + request, end, (type, from, to) => {
      if (type === NLMSGERR_ATTR_MSG) text = reader.text(from, to);
    });
  }
  return { sequence, errno, text };
}
