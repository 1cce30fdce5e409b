import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Frame, PcapReader } from "./pcap.ts";
import { head, packets, statistics, timestamp } from "./pcapng.ts";

const frames = fc.array(
  fc.record({
    seconds: fc.nat({ max: 2 ** 32 - 1 }),
    nanoseconds: fc.nat({ max: 999_999_999 }),
    data: fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    cut: fc.nat({ max: 50 }),
  }),
  { maxLength: 8 },
);

function pcapOf(list: readonly Frame[]): Buffer {
  const file = Buffer.alloc(24);
  file.writeUInt32LE(0xa1b23c4d, 0);
  return Buffer.concat([
    file,
    ...list.flatMap(({ seconds, nanoseconds, length, data }) => {
      const header = Buffer.alloc(16);
      for (const [i, value] of [seconds, nanoseconds, data.length, length].entries())
        header.writeUInt32LE(value, 4 * i);
      return [header, data];
    }),
  ]);
}

/** The blocks of a file: each says its length at both ends. */
function blocksOf(file: Buffer): { readonly type: number; readonly body: Buffer }[] {
  const blocks: { type: number; body: Buffer }[] = [];
  for (let at = 0; at < file.length; ) {
    const size = file.readUInt32LE(at + 4);
    expect(size % 4).toBe(0);
    expect(file.readUInt32LE(at + size - 4)).toBe(size);
    blocks.push({ type: file.readUInt32LE(at), body: file.subarray(at + 8, at + size - 4) });
    at += size;
  }
  return blocks;
}

describe("a pcap stream", () => {
  test("gives the same frames, however it is cut into pieces", () => {
    fc.assert(
      fc.property(frames, fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (list, sizes) => {
        const wanted = list.map(({ cut, ...frame }) => ({ ...frame, length: frame.data.length + cut }));
        const stream = pcapOf(wanted);
        const reader = new PcapReader();
        const got: Frame[] = [];
        for (let at = 0; at < stream.length; ) {
          const size = sizes.next().value ?? 1;
          for (const frame of reader.read(stream.subarray(at, at + size)))
            got.push({ ...frame, data: Buffer.from(frame.data) });
          at += size;
        }
        expect(got).toEqual(wanted);
      }),
    );
  });

  test("that is none is refused", () => {
    const wrong = () => [...new PcapReader().read(Buffer.alloc(24))];
    expect(wrong).toThrow(expect.objectContaining({ code: "capture.bad-stream" }));
  });
});

describe("pcapng", () => {
  test("a time is exact to the nanosecond", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 32 - 1 }), fc.nat({ max: 999_999_999 }), (seconds, nanoseconds) => {
        const { high, low } = timestamp(seconds, nanoseconds);
        expect(BigInt(high) * 2n ** 32n + BigInt(low)).toBe(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds));
      }),
    );
  });

  test("is whole blocks: a section, its interface, the frames, the counts", () => {
    fc.assert(
      fc.property(frames, fc.string(), (list, filter) => {
        const wanted = list.map(({ cut, ...frame }) => ({ ...frame, length: frame.data.length + cut }));
        const link = { name: "web:eth0", description: "port", mac: "02:00:00:00:00:01", filter, snaplen: 65_600 };
        const counts = { accepted: 3, delivered: 2, dropped: 1, began: 0, ended: 1 };
        const blocks = blocksOf(Buffer.concat([head("test", link), packets(wanted), statistics(counts)]));
        expect(blocks.map(({ type }) => type)).toEqual([0x0a0d0d0a, 1, ...wanted.map(() => 6), 5]);
        for (const [i, { data, length }] of wanted.entries()) {
          const { body } = blocks[i + 2] ?? { body: Buffer.alloc(0) };
          expect(body.readUInt32LE(16)).toBe(length);
          expect(body.subarray(20, 20 + body.readUInt32LE(12))).toEqual(data);
        }
      }),
    );
  });
});
