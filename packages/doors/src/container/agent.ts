/** The agent in a container: it watches for sockets that are handed over, and makes them ports of the container's switch. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { asYardError, backoff, type Logger } from "@switchyard/base";
import { watchFolder } from "@switchyard/linux";
import type { Switch } from "@switchyard/vswitch";
import { type AttachOptions, converge, isAttached, type Outcome } from "./attach.ts";
import { type HandoverPlaces, type Order, readOrders } from "./orders.ts";
import { type ContainerSwitchOptions, openContainerSwitch } from "./switch.ts";

export interface ContainerAgentOptions
  extends HandoverPlaces,
    AttachOptions,
    Omit<ContainerSwitchOptions, "onRestart"> {
  readonly log: Logger;
  /** Called when all that is ordered is so. */
  readonly onSettled?: (outcomes: readonly Outcome[]) => void;
}

/** Milliseconds until what failed is tried again: at first, and at most. */
const RETRY = [500, 30_000] as const;
/** Milliseconds that files' changes are collected. */
const SETTLE = 50;

/**
 * Runs until `signal` aborts. Ports stay, as a switch that somebody else runs goes with the container; with one of the
 * agent's own they go, and so does what says that they are there.
 *
 * @throws as {@link openContainerSwitch}
 */
export async function runContainerAgent(options: ContainerAgentOptions): Promise<void> {
  const { signal, log, data } = options;
  let wake = Promise.withResolvers<void>();
  const changed = () => wake.resolve();
  await using sw = await openContainerSwitch({ ...options, onRestart: changed });
  signal.addEventListener("abort", changed, { once: true });
  let retries = backoff(...RETRY);
  while (!signal.aborted) {
    wake = Promise.withResolvers();
    if (signal.aborted) break;
    using stack = new DisposableStack();
    // Before the look: what comes during it wakes the next.
    for (const folder of watched(options)) stack.use(watchFolder(folder, changed));
    const orders = readOrders(options, (line) => log.warn(line));
    const outcomes = await settled(sw.db, orders, options);
    if (signal.aborted) break;
    acknowledge(data, outcomes);
    for (const { order, port, error } of outcomes) log.info({ interface: order.ifname, port, error }, "handed over");
    const failed = outcomes.length < orders.length || outcomes.some(({ error }) => error !== undefined);
    if (!failed) {
      retries = backoff(...RETRY);
      options.onSettled?.(outcomes);
      // Somebody may take a port away, or the switch start anew and not get it.
      const look = () => {
        if (!outcomes.every(({ port }) => isAttached(sw.db, port))) changed();
      };
      stack.use(sw.db.subscribe(look));
      look();
    }
    const retry = failed ? setTimeout(changed, retries.next().value) : undefined;
    await wake.promise;
    clearTimeout(retry);
    await new Promise((resolve) => setTimeout(resolve, SETTLE));
  }
  if (sw.ends) withdraw(data);
}

async function settled(db: Switch, orders: readonly Order[], options: ContainerAgentOptions) {
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

function withdraw(data: string): void {
  if (!existsSync(data)) return;
  for (const name of readdirSync(data)) if (/^applied-.*\.json$/.test(name)) rmSync(join(data, name), { force: true });
}
