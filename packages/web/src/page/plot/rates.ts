/** How much passes the nics, second by second. */
import { useCallback } from "react";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";

/** What has passed a nic, a second. `out` is what its node sends. */
export interface Rate {
  readonly outBits: number;
  readonly inBits: number;
  readonly outFrames: number;
  readonly inFrames: number;
  readonly dropped: number;
}

/** Of all nics that anything passes, or has until now, by `node:nic`. */
export interface Traffic {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly nics: Readonly<Record<string, Rate>>;
}

export interface Sample extends Rate {
  readonly at: number;
}

/** What is known of each nic; the youngest sample is the last. */
export type Rates = ReadonlyMap<string, readonly Sample[]>;

/** Five minutes at a sample a second. */
const SAMPLES_MOST = 300;

/** The rates with what is told anew. */
export function sampled(rates: Rates, { at, nics }: Traffic): Rates {
  const after = new Map(rates);
  for (const [nic, rate] of Object.entries(nics))
    after.set(nic, [...(rates.get(nic) ?? []), { at, ...rate }].slice(-SAMPLES_MOST));
  return after;
}

/** What passes a nic now; undefined: nothing. */
export function useRate(node: string, nic: string): Rate | undefined {
  const { rates } = usePage();
  const select = useCallback(
    (known: Rates) => {
      const last = known.get(`${node}:${nic}`)?.at(-1);
      return last && last.outFrames + last.inFrames + last.dropped > 0 ? last : undefined;
    },
    [node, nic],
  );
  return useStore(rates, select);
}

export function rateText({ outBits, inBits, dropped }: Rate): string {
  const drops = dropped > 0 ? `, ${dropped.toFixed(0)} dropped/s` : "";
  return `out ${bitsText(outBits)}, in ${bitsText(inBits)}${drops}`;
}

/** `1.2 Mbit/s` */
export function bitsText(bits: number): string {
  const units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bits)) / 3)));
  return `${(bits / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
