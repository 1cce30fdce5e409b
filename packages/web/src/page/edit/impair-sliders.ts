/** Where sliders stand, and what a lab file writes for it. */

/** What has a slider; the others stay as they are written. */
export type Setting = "delay" | "jitter" | "loss" | "rate";
export type Slides = Readonly<Record<Setting, number>>;

interface SliderKind {
  readonly setting: Setting;
  readonly label: string;
  /** How many places it can stand at; the first is none of it. */
  readonly marks: number;
  text(at: number): string;
}

/** Milliseconds. */
const TIMES = [0, 1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000] as const;
/** Percent. */
const SHARES = [0, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 50, 75, 100] as const;
/** Kilobits a second; first: as fast as can be. */
const RATES = [0, 1_000_000, 100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 512, 256, 128, 64, 16] as const;

const time = (at: number) => `${TIMES[at] ?? 0}ms`;
const rate = (at: number) => {
  const kilobits = RATES[at] ?? 0;
  return kilobits >= 1000 ? `${kilobits / 1000}mbit` : `${kilobits}kbit`;
};

export const SLIDERS: readonly SliderKind[] = [
  { setting: "delay", label: "Delay", marks: TIMES.length, text: time },
  { setting: "jitter", label: "Jitter", marks: TIMES.length, text: time },
  { setting: "loss", label: "Loss", marks: SHARES.length, text: (at) => `${SHARES[at] ?? 0}%` },
  { setting: "rate", label: "Rate", marks: RATES.length, text: (at) => (at === 0 ? "as fast as can be" : rate(at)) },
];

export const NO_SLIDES: Slides = { delay: 0, jitter: 0, loss: 0, rate: 0 };

/** Where sliders stand for what is written: at the nearest mark. */
export function slidesOf(written: Readonly<Record<string, string>>): Slides {
  const bits = amount(written.rate, { kbit: 1, mbit: 1e3, gbit: 1e6, bit: 1e-3 });
  return {
    delay: nearest(TIMES, amount(written.delay, { us: 1e-3, ms: 1, s: 1e3 })),
    jitter: nearest(TIMES, amount(written.jitter, { us: 1e-3, ms: 1, s: 1e3 })),
    loss: nearest(SHARES, amount(written.loss, { "%": 1 })),
    rate: bits === 0 ? 0 : nearest(RATES, bits),
  };
}

/**
 * What a lab file writes for sliders.
 *
 * @param was what stood there: settings without a slider stay, but for those that mean nothing any more
 */
export function writtenOf(slides: Slides, was: Readonly<Record<string, string>>): Record<string, string> {
  const own = SLIDERS.flatMap(({ setting, text }) =>
    slides[setting] === 0 ? [] : [[setting, text(slides[setting])] as const],
  );
  // A delay cannot vary by more than it is.
  const settings = Object.fromEntries(
    own.map(([name, text]) => [name, name === "jitter" ? time(Math.min(slides.jitter, slides.delay)) : text]),
  );
  if (slides.delay === 0) delete settings.jitter;
  if (Object.keys(settings).length === 0) return {};
  const others = Object.entries(was).filter(
    ([name]) =>
      !SLIDERS.some(({ setting }) => setting === name) &&
      (slides.delay > 0 || !["correlation", "reorder"].includes(name)),
  );
  return { ...settings, ...Object.fromEntries(others) };
}

function amount(text: string | undefined, units: Readonly<Record<string, number>>): number {
  const [, number = "0", unit = ""] = /^([\d.]+)\s*([a-z%]*)$/i.exec(text ?? "") ?? [];
  return Number(number) * (units[unit.toLowerCase()] ?? 1);
}

function nearest(marks: readonly number[], value: number): number {
  const distances = marks.map((mark) => Math.abs(mark - value));
  return distances.indexOf(Math.min(...distances));
}
