import type { Ip } from "@switchyard/base";
import { roomForNeighbours } from "../probe/neighbours.ts";
import { ping } from "../probe/ping.ts";
import { Poller } from "../probe/poller.ts";
import type { NodeView } from "../view/types.ts";
import { mapLimited } from "./concurrency.ts";
import { sharedAddress } from "./reach.ts";

/** One pair of a `pingall`. */
export interface PairResult {
  readonly from: string;
  readonly to: string;
  /** Milliseconds; null when no reply came. */
  readonly roundTrip: number | null;
}

/** Nodes that ping at a time, and peers that each waits for at a time: a switch must not drown in first packets. */
const LIMIT = 32;
const WINDOW = 8;

/**
 * Every ordered pair of nodes with addresses on a common network, with the address to ping. Pure. Virtual machines are
 * pinged, but have no namespace to ping from. Of those that are stopped nobody expects an answer.
 */
export function pairsOf(all: readonly NodeView[]): { from: NodeView; targets: { to: NodeView; address: Ip }[] }[] {
  const nodes = all.filter(({ stopped }) => !stopped);
  const sources = nodes.filter(({ namespace }) => namespace !== "");
  return sources.map((from) => ({
    from,
    targets: nodes.flatMap((to) => {
      const address = to === from ? undefined : sharedAddress(from, to);
      return address === undefined ? [] : [{ to, address }];
    }),
  }));
}

/** Pings all pairs. `timeout` in milliseconds, for each node's pings together. */
export async function pingAll(
  nodes: readonly NodeView[],
  options: {
    readonly timeout: number;
    readonly signal: AbortSignal;
    readonly onDone?: (done: number, total: number) => void;
  },
): Promise<PairResult[]> {
  const poller = new Poller();
  const sources = pairsOf(nodes).filter(({ targets }) => targets.length > 0);
  const pairs = sources.reduce((sum, { targets }) => sum + targets.length, 0);
  // Each pair makes an entry at either end, beside those that the host has already.
  using _room = roomForNeighbours(2 * pairs + 512);
  let done = 0;
  const results = await mapLimited(sources, LIMIT, async ({ from, targets }) => {
    options.signal.throwIfAborted();
    const addresses = targets.map(({ address }) => address);
    const replies = await ping(poller, { name: from.namespace }, addresses, { ...options, window: WINDOW });
    options.onDone?.(++done, sources.length);
    return targets.map(({ to }, at) => ({ from: from.name, to: to.name, roundTrip: replies[at]?.roundTrip ?? null }));
  });
  options.signal.throwIfAborted();
  return results.flat();
}
