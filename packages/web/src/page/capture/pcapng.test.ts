import { expect, test } from "bun:test";
import { head, packets, statistics } from "@switchyard/yard/capture";
import fc from "fast-check";
import { PcapngReader } from "./pcapng.ts";

const frame = fc.record({
  seconds: fc.integer({ min: 0, max: 4e9 }),
  nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  length: fc.integer({ min: 0, max: 65_600 }),
  data: fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
});

test("what the yard writes of a capture is read, in whatever pieces it comes", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), fc.integer({ min: 1, max: 200 }), (frames, size) => {
      const link = { name: "web:eth0", description: "", mac: "02:00:00:00:00:01", filter: "icmp", snaplen: 65_600 };
      const end = statistics({ accepted: 1, delivered: 1, dropped: 0, began: 1, ended: 2 });
      const file = Buffer.concat([head("test", link), packets(frames), end]);
      const reader = new PcapngReader();
      const read = Array.from({ length: Math.ceil(file.length / size) }, (_, n) => [
        ...reader.read(file.subarray(n * size, (n + 1) * size)),
      ]).flat();
      expect(read.map(({ length, bytes }) => [length, [...bytes]])).toEqual(
        frames.map(({ length, data }) => [length, [...data]]),
      );
      for (const [n, { time }] of read.entries()) {
        const { seconds, nanoseconds } = frames[n] ?? { seconds: 0, nanoseconds: 0 };
        expect(Math.abs(time - (seconds * 1e3 + nanoseconds / 1e6))).toBeLessThan(0.001);
      }
    }),
  );
});
