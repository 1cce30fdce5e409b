/**
 * Gives containers that their engine has restarted their nics back, as nobody else does. There is one for each yard that
 * has containers of `ec`'s; it ends with the last of them.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { backoff, delay, type Logger } from "@switchyard/base";
import { lockFile } from "@switchyard/linux";
import { runDirectory } from "@switchyard/yard/agent";
import { inTurn, plugAll } from "./commands.ts";
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

/** Milliseconds between attempts to reach an engine that is away; how often before it is given up, some minute. */
const RETRY = [250, 4_000] as const;
const ATTEMPTS = 18;

/** Runs until no container is left, the yard is gone, or `signal` aborts; at once where another one runs. */
export async function runKeeper(options: KeeperOptions): Promise<void> {
  const { yard, signal, log } = options;
  mkdirSync(runDirectory(), { recursive: true, mode: 0o755 });
  const lock = lockFile(join(runDirectory(), `ec-${yard}.lock`));
  if (lock === undefined) return;
  using _lock = lock;
  await using place = await openEcPlace(yard, options);
  const engine = new EcEngine(yard, options.engine);
  const gone = new AbortController();
  const until = AbortSignal.any([signal, gone.signal]);
  place.db.on("disconnected", () => {
    // A database that is started anew is there again within that time.
    setTimeout(() => {
      if (!existsSync(place.runDir)) gone.abort();
    }, 2_000).unref();
  });
  /** Whether there is anything to keep; where there is not, nobody may begin before the lock is free. */
  const look = () =>
    inTurn(place, async () => {
      const some = await plugAll(place, engine, (error) => log.warn({ err: error }, "not plugged"));
      if (!some) lock[Symbol.dispose]();
      return some;
    });
  for (const [attempt, wait] of attempts()) {
    if (until.aborted || attempt === ATTEMPTS) return;
    try {
      if (!(await follow(engine, look, until))) return;
    } catch (error) {
      log.debug({ err: error }, "the engine is away");
    }
    await delay(wait, until).catch(() => undefined);
  }
}

/** @returns whether there is still something to keep; it ends with the engine's events */
async function follow(engine: EcEngine, look: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  // The events come first, so that nothing is missed between them and the look at what is there.
  const stream = await engine.events(signal);
  if (!(await look())) return false;
  for await (const _line of createInterface({ input: Readable.from(stream) })) if (!(await look())) return false;
  return true;
}

function* attempts(): Generator<readonly [number, number], void> {
  let n = 0;
  for (const wait of backoff(...RETRY)) yield [n++, wait];
}
