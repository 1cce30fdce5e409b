/** An impairment in the words of tc-netem(8). */
import type { Impairment } from "../model/types.ts";
import { bound } from "./lane.ts";

/** Under a rate, any rate, jitter keeps the order of frames (netem_enqueue in net/sched/sch_netem.c); this one bounds nothing. */
const UNBOUNDED = 100e9;

/**
 * All that netem can be told, as what it is not told it keeps from before (netem_change in net/sched/sch_netem.c).
 *
 * @param mtu bytes, by which a queue's length in bytes is told in frames, as netem has no other
 */
export function netemWords(impairment: Impairment, mtu: number): string[] {
  const { delay, jitter, correlation, loss, duplicate, reorder, corrupt, rate } = impairment;
  const { frames, bytes } = bound(impairment);
  const limit = Math.max(1, Math.min(frames, Math.floor(bytes / (mtu + ETHERNET))));
  const paced = rate ?? (jitter > 0 ? UNBOUNDED : 0);
  return [
    ...["limit", `${limit}`],
    ...["delay", `${delay}us`, `${jitter}us`, `${jitter === 0 ? 0 : correlation}%`],
    ...["loss", "random", `${loss}%`, "duplicate", `${duplicate}%`],
    ...["reorder", `${reorder}%`, "corrupt", `${corrupt}%`, "rate", `${paced}bit`],
  ];
}

/** Of a frame's header, in bytes. */
const ETHERNET = 14;
