/** An impairment in the words of tc-netem(8). */
import type { Impairment } from "../model/types.ts";
import { bound } from "./lane.ts";

/** Under a rate, any rate, jitter keeps the order of frames (netem_enqueue in net/sched/sch_netem.c); this one bounds nothing. */
const UNBOUNDED = 100e9;

/** @param mtu bytes, by which a queue's length in bytes is told in frames, as netem has no other */
export function netemWords(impairment: Impairment, mtu: number): string[] {
  const { delay, jitter, correlation, loss, duplicate, reorder, corrupt, rate } = impairment;
  const { frames, bytes } = bound(impairment);
  const limit = Math.max(1, Math.min(frames, Math.floor(bytes / (mtu + ETHERNET))));
  const paced = rate ?? (jitter > 0 ? UNBOUNDED : undefined);
  const share = (name: string, percent: number) => (percent === 0 ? [] : [name, `${percent}%`]);
  return [
    ...["limit", `${limit}`],
    ...(delay === 0 ? [] : ["delay", `${delay}us`]),
    ...(jitter === 0 ? [] : [`${jitter}us`]),
    ...(jitter === 0 || correlation === 0 ? [] : [`${correlation}%`]),
    ...(loss === 0 ? [] : ["loss", "random", `${loss}%`]),
    ...share("duplicate", duplicate),
    ...share("reorder", reorder),
    ...share("corrupt", corrupt),
    ...(paced === undefined ? [] : ["rate", `${paced}bit`]),
  ];
}

/** Of a frame's header, in bytes. */
const ETHERNET = 14;
