/** The settings of an a2b: cloonix's names and units, and the model's. */
import type { Impairment, Setting } from "@switchyard/yard/model";

/** One of `cnf a2b`. Those of cloonix are loss, delay, rate and qsize; the others are ours, in the same units. */
interface A2bSetting {
  readonly cmd: string;
  readonly setting: Setting;
  /** `val` as a lab file would have it. */
  readonly written: (val: number) => string;
  /** What `val` there is; 0: none. */
  readonly val: (impairment: Impairment) => number;
}

const share = (cmd: "loss" | "duplicate" | "reorder" | "corrupt"): A2bSetting => ({
  cmd,
  setting: cmd,
  written: (val) => `${val / 100}%`,
  val: (impairment) => round(impairment[cmd] * 100),
});
const time = (cmd: "delay" | "jitter"): A2bSetting => ({
  cmd,
  setting: cmd,
  written: (val) => `${val}ms`,
  val: (impairment) => impairment[cmd] / 1000,
});

/** In an order in which each can be set after those before it. */
export const A2B_SETTINGS: readonly A2bSetting[] = [
  time("delay"),
  time("jitter"),
  // Of ten thousand frames.
  ...(["loss", "duplicate", "reorder", "corrupt"] as const).map(share),
  {
    // kB a second.
    cmd: "rate",
    setting: "rate",
    written: (val) => (val === 0 ? "none" : `${val * 8}kbit`),
    val: ({ rate }) => (rate ?? 0) / 8000,
  },
  {
    // kB.
    cmd: "qsize",
    setting: "queue",
    written: (val) => (val === 0 ? "none" : `${val}kB`),
    val: ({ queue }) => (queue?.unit === "bytes" ? queue.amount / 1000 : 0),
  },
];

/** Without what binary fractions add. */
function round(value: number): number {
  return Number(value.toPrecision(12));
}
