import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { UNIMPAIRED } from "../model/impair.ts";
import type { Impairment } from "../model/types.ts";
import { bound, type Chance, Lane } from "./lane.ts";

/** Reproducible: Mulberry32. */
function seeded(seed: number): Chance {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Arrival {
  readonly frame: number;
  /** Microseconds. */
  readonly came: number;
  readonly left: number;
}

/** Sends frames of one size at even gaps under a clock of its own. @returns those that arrive, in their order */
function send(impairment: Partial<Impairment>, frames: number, gap: number, bytes = 1000, seed = 1): Arrival[] {
  const lane = new Lane({ ...UNIMPAIRED, ...impairment }, seeded(seed));
  const arrivals: Arrival[] = [];
  const until = (time: number) => {
    while (lane.waiting > 0 && lane.due <= time) {
      const left = lane.due;
      const frame = lane.release(left);
      if (frame !== undefined) arrivals.push({ frame, came: frame * gap, left });
    }
  };
  for (let frame = 0; frame < frames; frame++) {
    until(frame * gap);
    for (let copies = lane.copies(); copies > 0; copies--) lane.hold(frame * gap, frame, bytes);
  }
  until(Infinity);
  return arrivals;
}

const delays = (arrivals: readonly Arrival[]) => arrivals.map(({ came, left }) => left - came);
const mean = (numbers: readonly number[]) => numbers.reduce((sum, it) => sum + it, 0) / numbers.length;
const isSorted = (arrivals: readonly Arrival[]) =>
  arrivals.every(({ frame }, n) => n === 0 || frame >= (arrivals[n - 1]?.frame ?? 0));

describe("frames on their way", () => {
  test("pass at once and in order where nothing is impaired", () => {
    const arrivals = send({}, 100, 10);
    expect(arrivals.map(({ frame }) => frame)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(new Set(delays(arrivals))).toEqual(new Set([0]));
  });

  test("are late by the delay, all of them", () => {
    expect(new Set(delays(send({ delay: 10_000 }, 100, 10)))).toEqual(new Set([10_000]));
  });

  test("are late by delay ± jitter, evenly spread, where they are far apart", () => {
    const late = delays(send({ delay: 10_000, jitter: 4_000 }, 10_000, 20_000));
    expect(Math.min(...late)).toBeGreaterThanOrEqual(6_000);
    expect(Math.max(...late)).toBeLessThan(14_000);
    expect(mean(late)).toBeWithin(9_900, 10_100);
    for (const quarter of [0, 1, 2, 3]) {
      const share = late.filter((it) => Math.floor((it - 6_000) / 2_000) === quarter).length / late.length;
      expect(share).toBeWithin(0.23, 0.27);
    }
  });

  test("keep their order under jitter, however close they are", () => {
    const arrivals = send({ delay: 10_000, jitter: 10_000 }, 5_000, 100);
    expect(arrivals).toHaveLength(5_000);
    expect(isSorted(arrivals)).toBe(true);
  });

  test("are late alike, one after the other, by the correlation", () => {
    const steps = (correlation: number) => {
      const late = delays(send({ delay: 10_000, jitter: 5_000, correlation }, 5_000, 20_000));
      return mean(late.slice(1).map((it, n) => Math.abs(it - (late[n] ?? 0))));
    };
    expect(steps(90)).toBeLessThan(steps(0) / 5);
  });

  test("overtake others only in the share that is asked for", () => {
    const arrivals = send({ delay: 10_000, reorder: 10 }, 10_000, 100);
    const ahead = arrivals.filter(({ came, left }) => left === came).length;
    expect(ahead).toBeWithin(900, 1_100);
    expect(isSorted(arrivals)).toBe(false);
    expect(isSorted(arrivals.filter(({ came, left }) => left !== came))).toBe(true);
  });

  test.each([0.5, 10, 100])("are lost in the share of %p%%", (loss) => {
    const share = 1 - send({ loss }, 20_000, 1).length / 20_000;
    expect(share).toBeWithin((loss / 100) * 0.9 - 0.002, (loss / 100) * 1.1 + 0.002);
  });

  test("come twice in the share that is asked for", () => {
    const arrivals = send({ duplicate: 5 }, 20_000, 1);
    expect(arrivals.length - 20_000).toBeWithin(900, 1_100);
    expect(new Set(arrivals.map(({ frame }) => frame)).size).toBe(20_000);
  });

  test("come once where every frame is both lost and doubled", () => {
    expect(send({ duplicate: 100, loss: 100 }, 100, 1)).toHaveLength(100);
  });

  test("have one bit within them turned over, in the share that is asked for", () => {
    const lane = new Lane({ ...UNIMPAIRED, corrupt: 20 }, seeded(1));
    const bits = Array.from({ length: 10_000 }, () => lane.corruptBit(60)).filter((bit) => bit !== undefined);
    expect(bits.length).toBeWithin(1_900, 2_100);
    for (const bit of bits) expect(bit).toBeWithin(0, 480);
    expect(new Set(bits).size).toBeGreaterThan(450);
  });
});

describe("a rate", () => {
  test("is kept to the bit, and the queue drops what is too much", () => {
    // 1000 bytes at 8 Mbit/s take a millisecond; they come twice as fast.
    const arrivals = send({ rate: 8_000_000, queue: { unit: "frames", amount: 10 } }, 10_000, 500);
    const [first, last] = [arrivals[0]?.left ?? 0, arrivals.at(-1)?.left ?? 0];
    expect((last - first) / (arrivals.length - 1)).toBeCloseTo(1_000, 5);
    expect(arrivals.length).toBeWithin(5_000, 5_020);
    expect(Math.max(...delays(arrivals))).toBeLessThanOrEqual(10_000);
  });

  test("bounds the queue in bytes where that is asked for", () => {
    const arrivals = send({ rate: 8_000_000, queue: { unit: "bytes", amount: 5_500 } }, 1_000, 500);
    expect(Math.max(...delays(arrivals))).toBe(5_000);
  });

  test("lets the delay pass beside it: what waits long enough for the rate is not delayed twice", () => {
    const arrivals = send({ rate: 8_000_000, delay: 10_000 }, 3, 0);
    expect(arrivals.map(({ left }) => left)).toEqual([11_000, 12_000, 13_000]);
  });
});

describe("a queue that nobody has bounded", () => {
  test("has room for what the delay holds", () => {
    expect(bound({ ...UNIMPAIRED }).frames).toBe(1_000);
    expect(bound({ ...UNIMPAIRED, delay: 100_000 }).frames).toBe(11_000);
    expect(bound({ ...UNIMPAIRED, delay: 1_000_000, rate: 8_000_000 }).frames).toBe(11_000);
    expect(bound({ ...UNIMPAIRED, delay: 60_000_000 }).frames).toBe(100_000);
  });
});

describe("a change while frames are under way", () => {
  test("has them leave sooner where they now would, in their order", () => {
    const lane = new Lane({ ...UNIMPAIRED, delay: 1_000_000, rate: 8_000 }, seeded(1));
    for (let frame = 0; frame < 100; frame++) lane.hold(0, frame, 1000);
    lane.change(10, { ...UNIMPAIRED, delay: 5 });
    const order: (number | undefined)[] = [];
    while (lane.waiting > 0) order.push(lane.release(15));
    expect(order).toEqual(Array.from({ length: 100 }, (_, n) => n));
    lane.hold(20, 100, 1000);
    expect(lane.due).toBe(25);
  });

  test("delays none of them longer", () => {
    const lane = new Lane({ ...UNIMPAIRED, delay: 100 }, seeded(1));
    lane.hold(0, 0, 1000);
    lane.change(50, { ...UNIMPAIRED, delay: 1_000 });
    expect(lane.due).toBe(100);
    lane.hold(60, 1, 1000);
    expect(lane.release(100)).toBe(0);
    expect(lane.due).toBe(1_060);
  });
});

test("no frame is lost, doubled or sent before its time, whatever is done in whatever order", () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant("hold" as const),
      bytes: fc.integer({ min: 60, max: 1514 }),
      after: fc.nat({ max: 50 }),
    }),
    fc.record({
      do: fc.constant("change" as const),
      delay: fc.nat({ max: 100 }),
      rate: fc.constantFrom(undefined, 1e6, 1e9),
    }),
    fc.record({ do: fc.constant("release" as const), after: fc.nat({ max: 500 }) }),
  );
  fc.assert(
    fc.property(fc.array(step), fc.integer(), (steps, seed) => {
      const lane = new Lane({ ...UNIMPAIRED, delay: 50, jitter: 50, reorder: 20 }, seeded(seed));
      const inside = new Set<number>();
      let now = 0;
      let next = 0;
      const drain = (time: number) => {
        for (let due = lane.due; ; due = lane.due) {
          const frame = lane.release(time);
          if (frame === undefined) break;
          expect(due).toBeLessThanOrEqual(time);
          expect(inside.delete(frame)).toBe(true);
        }
      };
      for (const it of steps) {
        if (it.do === "change") lane.change(now, { ...UNIMPAIRED, delay: it.delay, rate: it.rate });
        else {
          now += it.after;
          if (it.do === "release") drain(now);
          else if (lane.hold(now, next, it.bytes)) inside.add(next++);
        }
        expect(lane.waiting).toBe(inside.size);
      }
      drain(Infinity);
      expect(inside.size).toBe(0);
      expect(lane.due).toBe(Infinity);
    }),
  );
});
