/**
 * Gives containers that their engine has restarted their nics back, and a switch that was started anew what its database
 * does not hold, as nobody else does. The yard's agent has one run for each engine that has containers of `ec`'s.
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { backoff, delay, type Logger } from "@switchyard/base";
import { watchFolder } from "@switchyard/linux";
import { plugAll, redirectAll } from "./commands.ts";
import { EcEngine } from "./containers.ts";
import { openEcPlace } from "./place.ts";

export interface KeeperOptions {
  readonly yard: string;
  readonly executable: readonly string[];
  /** The engine's address, in the form of DOCKER_HOST. */
  readonly engine: string | undefined;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** Milliseconds between attempts to reach an engine or a switch that is away. */
const RETRY = [250, 4_000] as const;
/** What ovs-vswitchd(8) writes when it starts. */
const PID_FILE = "ovs-vswitchd.pid";

/** Runs until `signal` aborts. */
export async function runKeeper(options: KeeperOptions): Promise<void> {
  const { yard, signal, log } = options;
  await using place = await openEcPlace(yard, options);
  const engine = new EcEngine(yard, options.engine);
  let last: Promise<void> = Promise.resolve();
  /** A connection asks for the switch's lock once at a time. */
  const inOrder = (work: Work): Promise<void> => {
    const next = last.then(work);
    last = next.catch(() => {});
    return next;
  };
  const plug = () => inOrder(() => plugAll(place, engine, (error) => log.warn({ err: error }, "not plugged")));
  const redirect = () => inOrder(() => redirectAll(place, engine));
  await Promise.all([
    followEngine(engine, plug, signal, log),
    followSwitch(
      place.runDir,
      async () => {
        await redirect();
        // It works again, and the ports of its own have gone with its predecessor, out of their containers too.
        await plug();
      },
      signal,
      log,
    ),
  ]);
}

type Work = () => Promise<void>;

async function followEngine(engine: EcEngine, plug: Work, signal: AbortSignal, log: Logger): Promise<void> {
  await again(signal, log, async (well) => {
    // The events come first, so that nothing is missed between them and the look at what is there.
    const stream = await engine.events(signal);
    await plug();
    well();
    for await (const _line of createInterface({ input: Readable.from(stream) })) await plug();
  });
}

/** At its own start too: the switch may have been started anew while nobody looked. */
async function followSwitch(runDir: string, restore: Work, signal: AbortSignal, log: Logger): Promise<void> {
  let changed = Promise.withResolvers<void>();
  using _watch = watchFolder(runDir, (names) => {
    if (names === undefined || names.has(PID_FILE)) changed.resolve();
  });
  signal.addEventListener("abort", () => changed.resolve(), { once: true });
  await again(signal, log, async (well) => {
    for (; !signal.aborted; await changed.promise) {
      changed = Promise.withResolvers();
      await restore();
      well();
    }
  });
}

/** Begins a part anew whenever it has failed or ended, with delays that `well` makes short again. */
async function again(signal: AbortSignal, log: Logger, part: (well: () => void) => Promise<void>): Promise<void> {
  let waits = backoff(...RETRY);
  while (!signal.aborted) {
    try {
      await part(() => {
        waits = backoff(...RETRY);
      });
    } catch (error) {
      log.debug({ err: error }, "to be tried again");
    }
    await delay(waits.next().value, signal).catch(() => undefined);
  }
}
