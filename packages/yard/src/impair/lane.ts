/**
 * What becomes of frames that go one way through an impairment, and when. Pure: the caller has the clock, the chance
 * and the frames. The rules are those of the kernel's netem (tc-netem(8), net/sched/sch_netem.c) with a rate, under
 * which jitter changes the gaps between frames and not their order.
 *
 * Times are in microseconds of any one clock, fractions allowed.
 */
import type { Impairment } from "../model/types.ts";

/** A number from 0 up to but not including 1, as of `Math.random`. */
export type Chance = () => number;

/** Frames that may wait where nobody has said how many, beside those that the delay itself holds. */
const WAITING = 1_000;
/** The frames of a second that are reckoned with where no rate bounds them. */
const FASTEST = 100_000;
/** The smallest average frame that is reckoned with, in bits. */
const SMALL = 800;
/** No more than this is held where nobody has said how much, in frames. */
const MOST = 100_000;

/** How many frames, or bytes, one direction may hold at a time. */
export function bound(impairment: Impairment): { readonly frames: number; readonly bytes: number } {
  const { queue, delay, jitter, rate } = impairment;
  if (queue !== undefined) {
    return queue.unit === "frames"
      ? { frames: queue.amount, bytes: Infinity }
      : { frames: Infinity, bytes: queue.amount };
  }
  const perSecond = Math.min(rate === undefined ? FASTEST : rate / SMALL, FASTEST);
  const underWay = Math.ceil(((delay + jitter) / 1e6) * perSecond);
  return { frames: Math.min(WAITING + underWay, MOST), bytes: Infinity };
}

/** One frame that waits, known to the caller by a number. */
interface Held {
  due: number;
  /** Tells two of the same time apart: first come, first served. */
  readonly turn: number;
  readonly frame: number;
  readonly bytes: number;
  /** Passed by the others: it counts for nobody's time. */
  readonly ahead: boolean;
}

/** One direction. */
export class Lane {
  /** A heap, the frame that is due first at its top. */
  readonly #held: Held[] = [];
  #impairment: Impairment;
  #frames: number;
  #bytes: number;
  #heldBytes = 0;
  #turn = 0;
  /** When the last frame in order leaves. */
  #last = 0;
  /** The jitter's last number, which the next hangs on by `correlation`. */
  #drift: number | undefined;

  constructor(
    impairment: Impairment,
    private readonly chance: Chance,
  ) {
    this.#impairment = impairment;
    ({ frames: this.#frames, bytes: this.#bytes } = bound(impairment));
  }

  /** Frames that are held. */
  get waiting(): number {
    return this.#held.length;
  }

  /** When the next frame leaves; Infinity when none waits. */
  get due(): number {
    return this.#held[0]?.due ?? Infinity;
  }

  /** How many copies go on of a frame that comes in: 0 is lost, 2 is duplicated. */
  copies(): 0 | 1 | 2 {
    const { loss, duplicate } = this.#impairment;
    const twice = this.#happens(duplicate);
    const lost = this.#happens(loss);
    return twice ? (lost ? 1 : 2) : lost ? 0 : 1;
  }

  /** Which bit of a frame of that many bytes is turned over; undefined: none. */
  corruptBit(bytes: number): number | undefined {
    return this.#happens(this.#impairment.corrupt) ? Math.floor(this.chance() * bytes * 8) : undefined;
  }

  /** Takes a frame in. @returns false when there is no room: it is lost */
  hold(now: number, frame: number, bytes: number): boolean {
    if (this.#held.length >= this.#frames || this.#heldBytes + bytes > this.#bytes) return false;
    const ahead = this.#happens(this.#impairment.reorder);
    if (!ahead) this.#last = this.#time(now, now + this.#delay(), bytes);
    this.#push({ due: ahead ? now : this.#last, turn: this.#turn++, frame, bytes, ahead });
    return true;
  }

  /** The next frame that is due by now, which is held no longer; undefined when none is. */
  release(now: number): number | undefined {
    const first = this.#held[0];
    if (first === undefined || first.due > now) return undefined;
    this.#heldBytes -= first.bytes;
    const last = this.#held.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first.frame;
  }

  /** Goes on otherwise. What waits keeps its order, and leaves sooner where it now would. */
  change(now: number, impairment: Impairment): void {
    this.#impairment = impairment;
    ({ frames: this.#frames, bytes: this.#bytes } = bound(impairment));
    const waiting = this.#held.splice(0).toSorted(byDue);
    this.#heldBytes = 0;
    this.#last = now;
    for (const held of waiting) {
      if (!held.ahead) {
        this.#last = Math.min(held.due, this.#time(now, now + impairment.delay, held.bytes));
        held.due = this.#last;
      }
      this.#push(held);
    }
  }

  /** When a frame leaves that could at `earliest`, after the one before it and at the rate. */
  #time(now: number, earliest: number, bytes: number): number {
    const { rate } = this.#impairment;
    const start = Math.max(earliest, this.#last, now);
    return rate === undefined ? start : start + (bytes * 8e6) / rate;
  }

  /** Evenly spread over delay ± jitter. */
  #delay(): number {
    const { delay, jitter, correlation } = this.#impairment;
    if (jitter === 0) return delay;
    const fresh = this.chance();
    const weight = correlation / 100;
    this.#drift = this.#drift === undefined ? fresh : fresh * (1 - weight) + this.#drift * weight;
    return delay + jitter * (2 * this.#drift - 1);
  }

  #happens(percent: number): boolean {
    return percent > 0 && this.chance() * 100 < percent;
  }

  #push(held: Held): void {
    this.#heldBytes += held.bytes;
    let at = this.#held.push(held) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#held[parent];
      if (above === undefined || byDue(above, held) <= 0) break;
      this.#held[at] = above;
      at = parent;
    }
    this.#held[at] = held;
  }

  /** Puts a frame into the place of the first. */
  #sink(held: Held): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = this.#held[child];
      const right = this.#held[child + 1];
      if (left === undefined) break;
      const lesser = right !== undefined && byDue(right, left) < 0 ? right : left;
      if (lesser === right) child++;
      if (byDue(held, lesser) <= 0) break;
      this.#held[at] = lesser;
      at = child;
    }
    this.#held[at] = held;
  }
}

function byDue(a: Held, b: Held): number {
  return a.due - b.due || a.turn - b.turn;
}
