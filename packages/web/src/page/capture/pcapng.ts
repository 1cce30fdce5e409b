/** A frame as it was captured. */
export interface CapturedFrame {
  /** Milliseconds since the epoch, with fractions. */
  readonly time: number;
  /** Bytes that it had; of them there may be fewer. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

const BLOCK_OVERHEAD = 12;
const ENHANCED_PACKET = 6;
const NANOSECONDS_A_MILLISECOND = 1e6;

/**
 * Reads the frames of a yard's capture as its bytes come: pcapng (draft-ietf-opsawg-pcapng), little-endian, times in
 * nanoseconds. Blocks of other kinds are passed over.
 */
export class PcapngReader {
  #rest: Uint8Array<ArrayBufferLike> = new Uint8Array();

  /** The frames that are whole by now. */
  *read(chunk: Uint8Array): Generator<CapturedFrame> {
    const bytes = concat(this.#rest, chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (bytes.length - at >= BLOCK_OVERHEAD) {
      const size = view.getUint32(at + 4, true);
      if (size < BLOCK_OVERHEAD) throw new Error(`a block of ${size} bytes is no pcapng`);
      if (bytes.length - at < size) break;
      if (view.getUint32(at, true) === ENHANCED_PACKET) {
        const captured = view.getUint32(at + 20, true);
        const nanoseconds = view.getUint32(at + 12, true) * 2 ** 32 + view.getUint32(at + 16, true);
        yield {
          time: nanoseconds / NANOSECONDS_A_MILLISECOND,
          length: view.getUint32(at + 24, true),
          bytes: bytes.slice(at + 28, at + 28 + captured),
        };
      }
      at += size;
    }
    this.#rest = bytes.slice(at);
  }
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (one.length === 0) return other;
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
