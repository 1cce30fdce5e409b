/** Impairments as they are written: `delay: 10ms`, `loss: 1%`, `rate: 10mbit`. */
import { YardError } from "@switchyard/base";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import type { DirectionFile, LinkImpairFile, NicImpairFile } from "./schema-nics.ts";
import type { Impairment, ImpairSpec } from "./types.ts";

/** The ways of a nic's impairment in a file, and of everything else's: `forward`, then `backward`. */
export const NIC_WAYS = ["out", "in"] as const;
export const LINK_WAYS = ["forward", "backward"] as const;

/** What can be set, in the order in which it is told. */
export const SETTINGS = [
  "delay",
  "jitter",
  "correlation",
  "loss",
  "duplicate",
  "reorder",
  "corrupt",
  "rate",
  "queue",
] as const;
export type Setting = (typeof SETTINGS)[number];

/** Frames pass as they come. */
export const UNIMPAIRED: Impairment = {
  delay: 0,
  jitter: 0,
  correlation: 0,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  corrupt: 0,
  rate: undefined,
  queue: undefined,
};

const MICROSECONDS: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6 };
const LONGEST = 60_000_000;
const BITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };
const [SLOWEST, FASTEST] = [1e3, 100e9];
const BYTES: Readonly<Record<string, number>> = { b: 1, kb: 1e3, mb: 1e6 };
const [MOST_FRAMES, LEAST_BYTES, MOST_BYTES] = [1_000_000, 1_514, 1e9];

/** Microseconds of `10ms`, `1.5s`, `200us`; 0 needs no unit. @throws YardError `impair.bad-time` */
export function parseTime(written: string | number): number {
  const value = measured(written, MICROSECONDS);
  if (value !== undefined && value >= 0 && value <= LONGEST) return Math.round(value);
  throw new YardError("impair.bad-time", `"${written}" is not a time from 0 to 60s`, {
    hint: unitHint(written, "ms") ?? "write it like 10ms, 1.5s or 200us",
  });
}

/** Percent of `1%`, `0.01%`; 0 needs no sign. @throws YardError `impair.bad-share` */
export function parseShare(written: string | number): number {
  const value = measured(written, { "%": 1 });
  if (value !== undefined && value >= 0 && value <= 100) return value;
  throw new YardError("impair.bad-share", `"${written}" is not a share from 0% to 100%`, {
    hint: unitHint(written, "%") ?? "write it like 1% or 0.01%",
  });
}

/** Bits a second of `10mbit`, `512kbit`. @throws YardError `impair.bad-rate` */
export function parseRate(written: string | number): number | undefined {
  if (written === "none") return undefined;
  const value = measured(written, BITS);
  if (value !== undefined && value >= SLOWEST && value <= FASTEST) return Math.round(value);
  throw new YardError("impair.bad-rate", `"${written}" is not a rate from 1kbit to 100gbit`, {
    hint:
      unitHint(written, "mbit") ??
      (/[bB](ps|\/s)$/.test(String(written)) ? "rates are in bits a second: write kbit, mbit or gbit" : undefined) ??
      "write it like 10mbit, 512kbit or 1gbit, in bits a second; none is as fast as can be",
  });
}

/** `1000` is frames, `64kB` bytes. @throws YardError `impair.bad-queue` */
export function parseQueue(written: string | number): Impairment["queue"] {
  if (written === "none") return undefined;
  const frames = /^\d+$/.test(String(written)) ? Number(written) : Number.NaN;
  if (frames >= 1 && frames <= MOST_FRAMES) return { unit: "frames", amount: frames };
  const bytes = Number.isNaN(frames) ? measured(written, BYTES) : undefined;
  if (bytes !== undefined && bytes >= LEAST_BYTES && bytes <= MOST_BYTES)
    return { unit: "bytes", amount: Math.round(bytes) };
  throw new YardError("impair.bad-queue", `"${written}" is not the length of a queue`, {
    hint: "write a number of frames from 1 to 1000000, or an amount such as 64kB, from 1514B to 1000MB",
  });
}

/** A number with one of the units; 0 has none. Undefined where it is not so. */
function measured(written: string | number, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]+|%|)$/.exec(String(written).trim());
  if (match === null) return undefined;
  const value = Number(match[1]);
  if (match[2] === "") return value === 0 ? 0 : undefined;
  const factor = units[(match[2] ?? "").toLowerCase()];
  return factor === undefined ? undefined : value * factor;
}

function unitHint(written: string | number, unit: string): string | undefined {
  return /^\d+(\.\d+)?$/.test(String(written)) ? `a unit is missing: did you mean ${written}${unit}?` : undefined;
}

/** One setting read into an impairment. @throws YardError `impair.bad-time`, `impair.bad-share`, … */
export function withSetting(impairment: Impairment, setting: Setting, written: string | number): Impairment {
  switch (setting) {
    case "delay":
    case "jitter":
      return { ...impairment, [setting]: parseTime(written) };
    case "correlation":
    case "loss":
    case "duplicate":
    case "reorder":
    case "corrupt":
      return { ...impairment, [setting]: parseShare(written) };
    case "rate":
      return { ...impairment, rate: parseRate(written) };
    case "queue":
      return { ...impairment, queue: parseQueue(written) };
  }
}

/** What of an impairment contradicts the rest, and which setting is to be changed. */
export function contradiction(
  impairment: Impairment,
): { readonly setting: Setting; readonly error: YardError } | undefined {
  const { delay, jitter, correlation, reorder } = impairment;
  if (jitter > delay)
    return {
      setting: "jitter",
      error: new YardError("impair.jitter-over-delay", "frames cannot leave before they come: jitter exceeds delay", {
        hint: `give a delay of at least ${timeText(jitter)}, or a smaller jitter`,
      }),
    };
  const idle = correlation > 0 && jitter === 0 ? "correlation" : reorder > 0 && delay === 0 ? "reorder" : undefined;
  if (idle === undefined) return undefined;
  const needed = idle === "correlation" ? "jitter" : "delay";
  return {
    setting: idle,
    error: new YardError("impair.without-effect", `"${idle}" does nothing without "${needed}"`, {
      hint: `give a ${needed} too, or leave it out`,
    }),
  };
}

/** The spec, or undefined where nothing is impaired either way. */
export function impairSpec(forward: Impairment, backward: Impairment): ImpairSpec | undefined {
  return isUnimpaired(forward) && isUnimpaired(backward) ? undefined : { forward, backward };
}

export function isUnimpaired(impairment: Impairment): boolean {
  return SETTINGS.every((setting) => impairment[setting] === UNIMPAIRED[setting]);
}

/** Reads `impair` of a nic, a link or a node; what is said of one way replaces what is said of both. */
export function readImpair(
  file: NicImpairFile | LinkImpairFile | undefined,
  path: Path,
  reading: Reading,
): ImpairSpec | undefined {
  if (file === undefined || reading.unsure(path)) return undefined;
  const both = readDirection(file, path, UNIMPAIRED, reading);
  const [forward, backward] = waysOf(file).map(([way, own]) => {
    const at = own === undefined ? path : [...path, way];
    const impairment = own === undefined ? both : readDirection(own, at, both, reading);
    const wrong = contradiction(impairment);
    const told = wrong && (own?.[wrong.setting] === undefined ? path : at);
    if (wrong && told && !reading.unsure([...told, wrong.setting]))
      reading.parse([...told, wrong.setting], undefined, () => {
        throw wrong.error;
      });
    return impairment;
  });
  return forward && backward && impairSpec(forward, backward);
}

function waysOf(file: NicImpairFile | LinkImpairFile): (readonly [string, DirectionFile | undefined])[] {
  if ("out" in file || "in" in file)
    return [
      [NIC_WAYS[0], file.out],
      [NIC_WAYS[1], file.in],
    ];
  const { forward, backward }: LinkImpairFile = file;
  return [
    [LINK_WAYS[0], forward],
    [LINK_WAYS[1], backward],
  ];
}

function readDirection(file: DirectionFile, path: Path, given: Impairment, reading: Reading): Impairment {
  let impairment = given;
  for (const setting of SETTINGS) {
    const value = file[setting];
    if (value === undefined) continue;
    impairment = reading.parse([...path, setting], value, (it) => withSetting(impairment, setting, it)) ?? impairment;
  }
  return impairment;
}

/** The settings of one way that are not without effect, as they would be written. */
export function writtenSettings(impairment: Impairment): Partial<Record<Setting, string>> {
  const { queue, rate } = impairment;
  const shares = ["correlation", "loss", "duplicate", "reorder", "corrupt"] as const;
  return {
    ...(impairment.delay === 0 ? {} : { delay: timeText(impairment.delay) }),
    ...(impairment.jitter === 0 ? {} : { jitter: timeText(impairment.jitter) }),
    ...Object.fromEntries(shares.flatMap((it) => (impairment[it] === 0 ? [] : [[it, `${impairment[it]}%`]]))),
    ...(rate === undefined ? {} : { rate: scaled(rate, BITS) }),
    ...(queue === undefined
      ? {}
      : { queue: queue.unit === "frames" ? String(queue.amount) : scaled(queue.amount, { B: 1, kB: 1e3, MB: 1e6 }) }),
  };
}

function timeText(microseconds: number): string {
  return scaled(microseconds, MICROSECONDS);
}

/** With the largest unit that leaves at least one, and no digit lost. */
function scaled(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, factor] = Object.entries(units).findLast(([, size]) => value >= size) ?? ["", 1];
  return `${value / factor}${unit}`;
}
