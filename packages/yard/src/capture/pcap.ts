import { YardError } from "@switchyard/base";

/** A frame as a pcap stream has it; `data` is a view that holds only until more of the stream is read. */
export interface Frame {
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Its length on the wire; `data` may be less. */
  readonly length: number;
  readonly data: Buffer;
}

/** `pcap_file_header` and `pcap_sf_pkthdr`, pcap-savefile(5). */
const FILE_HEADER = 24;
const FRAME_HEADER = 16;
const MAGIC_NANOSECONDS = 0xa1b2_3c4d;
/** Above the largest snapshot length there is (MAXIMUM_SNAPLEN of libpcap). */
const LARGEST = 262_144;

/** Reads a pcap stream with times in nanoseconds, of this machine's byte order as the same machine writes it. */
export class PcapReader {
  #rest: Buffer = Buffer.alloc(0);
  #begun = false;

  /**
   * The frames that are complete with another part of the stream.
   *
   * @throws YardError `capture.bad-stream`
   */
  *read(chunk: Buffer): Generator<Frame> {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    if (!this.#begun && bytes.length >= FILE_HEADER) {
      if (bytes.readUInt32LE(0) !== MAGIC_NANOSECONDS) throw bad("it does not begin as one");
      this.#begun = true;
      at = FILE_HEADER;
    }
    while (this.#begun && bytes.length - at >= FRAME_HEADER) {
      const kept = bytes.readUInt32LE(at + 8);
      if (kept > LARGEST) throw bad(`it has a frame of ${kept} bytes`);
      const end = at + FRAME_HEADER + kept;
      if (end > bytes.length) break;
      yield {
        seconds: bytes.readUInt32LE(at),
        nanoseconds: bytes.readUInt32LE(at + 4),
        length: bytes.readUInt32LE(at + 12),
        data: bytes.subarray(at + FRAME_HEADER, end),
      };
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }
}

function bad(why: string): YardError {
  return new YardError("capture.bad-stream", `tcpdump's output is no pcap stream: ${why}`);
}
