/** The agent in a container: it watches for sockets that are handed over, and makes them ports of the container's switch. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { asYardError, backoff, type Logger } from "@switchyard/base";
import { watchFolder } from "@switchyard/linux";
import { openSwitch } from "@switchyard/vswitch";
import { type AttachOptions, converge, type Outcome } from "./attach.ts";
import { type HandoverPlaces, type Order, readOrders } from "./orders.ts";

export interface ContainerAgentOptions extends HandoverPlaces, AttachOptions {
  /** Of the container's switch: `unix:/var/run/openvswitch/db.sock`. */
  readonly remote: string;
  readonly log: Logger;
  /** Called when all that is ordered is so. */
  readonly onSettled?: (outcomes: readonly Outcome[]) => void;
}

/** Milliseconds until what failed is tried again: at first, and at most. */
const RETRY = [500, 30_000] as const;
/** Milliseconds that files' changes are collected. */
const SETTLE = 50;

/** Runs until `signal` aborts. The ports stay: the switch goes with the container. */
export async function runContainerAgent(options: ContainerAgentOptions): Promise<void> {
  const { signal, log, data } = options;
  await using db = await openSwitch(options.remote, { signal, timeout: 60_000 });
  let wake = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => wake.resolve(), { once: true });
  let retries = backoff(...RETRY);
  while (!signal.aborted) {
    wake = Promise.withResolvers();
    if (signal.aborted) break;
    using stack = new DisposableStack();
    const changed = () => wake.resolve();
    // Before the look: what comes during it wakes the next.
    for (const folder of watched(options)) stack.use(watchFolder(folder, changed));
    const orders = readOrders(options, (line) => log.warn(line));
    const outcomes = await settled(db, orders, options);
    if (signal.aborted) break;
    acknowledge(data, outcomes);
    for (const { order, port, error } of outcomes) log.info({ interface: order.ifname, port, error }, "handed over");
    const failed = outcomes.length < orders.length || outcomes.some(({ error }) => error !== undefined);
    if (!failed) {
      retries = backoff(...RETRY);
      options.onSettled?.(outcomes);
    }
    const retry = failed ? setTimeout(changed, retries.next().value) : undefined;
    await wake.promise;
    clearTimeout(retry);
    await new Promise((resolve) => setTimeout(resolve, SETTLE));
  }
}

async function settled(db: Parameters<typeof converge>[0], orders: readonly Order[], options: ContainerAgentOptions) {
  try {
    return await converge(db, orders, options);
  } catch (error) {
    if (!options.signal.aborted)
      options.log.error({ error: asYardError(error).message }, "the switch could not be changed");
    return [];
  }
}

/** The folders whose entries tell of changes; of one that is missing the one that it would be in. */
function watched({ data, shared, annotations }: HandoverPlaces): string[] {
  const nearest = (folder: string): string => (existsSync(folder) ? folder : nearest(dirname(folder)));
  return [...new Set([data, shared, dirname(annotations)].map(nearest))];
}

/** A file for each interface, for who waits in the container: `applied-<interface>.json`. */
function acknowledge(data: string, outcomes: readonly Outcome[]): void {
  if (!existsSync(data)) return;
  for (const { order, port, error } of outcomes) {
    const file = join(data, `applied-${order.ifname}.json`);
    if (error !== undefined) rmSync(file, { force: true });
    else {
      const { containerId, ifname, socket } = order;
      const text = JSON.stringify({ containerId, ifName: ifname, socket, port });
      // Only where it says something new, as it wakes us, too.
      if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
      const fresh = join(data, `.${basename(file)}.new`);
      writeFileSync(fresh, text);
      renameSync(fresh, file);
    }
  }
}
