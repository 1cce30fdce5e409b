/** Blocks of pcapng (draft-ietf-opsawg-pcapng), little-endian. */
import type { Frame } from "./pcap.ts";

/** The interface that frames were seen on. */
export interface CapturedInterface {
  readonly name: string;
  readonly description: string;
  readonly mac: string;
  /** As pcap-filter(7) has it; empty: none. */
  readonly filter: string;
  /** Bytes of each frame that are kept. */
  readonly snaplen: number;
}

/** What has become of the frames, at the end. */
export interface InterfaceStatistics {
  /** Frames that the filter let through. */
  readonly accepted: number;
  readonly delivered: number;
  readonly dropped: number;
  /** When it began and ended, in milliseconds since the epoch. */
  readonly began: number;
  readonly ended: number;
}

const SECTION_HEADER = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION = 1;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
const LINKTYPE_ETHERNET = 1;
/** Of `if_tsresol`: powers of ten. */
const NANOSECONDS = 9;
/** Of an enhanced packet without options: type, length, interface, time, both lengths of the frame, length. */
const PACKET_OVERHEAD = 32;

/** How a file begins: what wrote it, and the one interface that is in it. */
export function head(application: string, link: CapturedInterface): Buffer {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  fixed.writeUInt16LE(1, 4);
  // The section's length is not known.
  fixed.fill(0xff, 8);
  const section = block(SECTION_HEADER, fixed, [option(3, "Linux"), option(4, application)]);
  const interfaceFixed = Buffer.alloc(8);
  interfaceFixed.writeUInt16LE(LINKTYPE_ETHERNET, 0);
  interfaceFixed.writeUInt32LE(link.snaplen, 4);
  const description = block(INTERFACE_DESCRIPTION, interfaceFixed, [
    option(2, link.name),
    option(3, link.description),
    option(6, Buffer.from(link.mac.replaceAll(":", ""), "hex")),
    option(9, Buffer.of(NANOSECONDS)),
    // 0: the filter is a string of libpcap's.
    ...(link.filter === "" ? [] : [option(11, `\0${link.filter}`)]),
  ]);
  return Buffer.concat([section, description]);
}

/** The frames as one piece of a file. */
export function packets(frames: Iterable<Frame>): Buffer {
  const blocks: Buffer[] = [];
  for (const frame of frames) blocks.push(packet(frame));
  return Buffer.concat(blocks);
}

function packet({ seconds, nanoseconds, length, data }: Frame): Buffer {
  const size = PACKET_OVERHEAD + padded(data.length);
  const bytes = Buffer.allocUnsafe(size);
  const { high, low } = timestamp(seconds, nanoseconds);
  bytes.writeUInt32LE(ENHANCED_PACKET, 0);
  bytes.writeUInt32LE(size, 4);
  bytes.writeUInt32LE(0, 8);
  bytes.writeUInt32LE(high, 12);
  bytes.writeUInt32LE(low, 16);
  bytes.writeUInt32LE(data.length, 20);
  bytes.writeUInt32LE(length, 24);
  data.copy(bytes, 28);
  bytes.fill(0, 28 + data.length, size - 4);
  bytes.writeUInt32LE(size, size - 4);
  return bytes;
}

/** How a file ends that was not cut off: what was seen and what was lost. */
export function statistics({ accepted, delivered, dropped, began, ended }: InterfaceStatistics): Buffer {
  const fixed = Buffer.alloc(12);
  writeTime(fixed, 4, ended);
  return block(INTERFACE_STATISTICS, fixed, [
    option(2, time(began)),
    option(3, time(ended)),
    option(5, counter(dropped)),
    option(6, counter(accepted)),
    option(8, counter(delivered)),
  ]);
}

/** Nanoseconds since the epoch, in two halves: they are more than a number holds exactly. */
export function timestamp(seconds: number, nanoseconds: number): { readonly high: number; readonly low: number } {
  const half = 2 ** 16;
  const upper = Math.floor(seconds / half) * 1e9;
  const lower = (seconds % half) * 1e9 + nanoseconds + (upper % half) * half;
  return { high: Math.floor(upper / half) + Math.floor(lower / 2 ** 32), low: lower % 2 ** 32 };
}

function time(milliseconds: number): Buffer {
  const bytes = Buffer.alloc(8);
  writeTime(bytes, 0, milliseconds);
  return bytes;
}

function writeTime(bytes: Buffer, at: number, milliseconds: number): void {
  const { high, low } = timestamp(Math.floor(milliseconds / 1000), Math.floor((milliseconds % 1000) * 1e6));
  bytes.writeUInt32LE(high, at);
  bytes.writeUInt32LE(low, at + 4);
}

function counter(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function option(code: number, value: string | Buffer): Buffer {
  // A length has 16 bits; only a filter could be longer.
  const content = Buffer.from(value).subarray(0, 0xffff);
  const bytes = Buffer.alloc(4 + padded(content.length));
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt16LE(content.length, 2);
  content.copy(bytes, 4);
  return bytes;
}

function block(type: number, fixed: Buffer, options: readonly Buffer[]): Buffer {
  const endOfOptions = Buffer.alloc(4);
  const body = Buffer.concat([fixed, ...options, endOfOptions]);
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  body.copy(bytes, 8);
  bytes.writeUInt32LE(bytes.length, bytes.length - 4);
  return bytes;
}

/** Everything lies on multiples of four bytes. */
function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
