import { existsSync, mkdirSync, readFileSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { deadline, YardError } from "@switchyard/base";
import { relayStatusSchema } from "./relay.ts";

/** Milliseconds that the relay may take to start and to take a configuration. */
const LIMIT = 5_000;

/** Calls `listener` whenever the relay has something new to tell of the configuration `file`. */
export function watchRelay(file: string, listener: () => void): Disposable {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  const watcher = watch(folder, (_event, name) => {
    if (name === `${basename(file)}.status`) listener();
  });
  return { [Symbol.dispose]: () => watcher.close() };
}

/**
 * Waits until the relay has taken the configuration `text` of `file`.
 *
 * @returns the ports that it could not publish, by node
 * @throws YardError `node.port-timeout`
 */
export async function relayReport(file: string, text: string, parent: AbortSignal): Promise<Map<string, YardError>> {
  const status = `${file}.status`;
  using limit = deadline(LIMIT, "node.port-timeout", "the relay of published ports did not answer", parent);
  for (;;) {
    const { promise: changed, resolve, reject } = Promise.withResolvers<void>();
    const watcher = watch(dirname(file), (_event, name) => {
      if (name === basename(status)) resolve();
    });
    const aborted = () => reject(limit.reason);
    limit.addEventListener("abort", aborted, { once: true });
    try {
      const report = existsSync(status)
        ? relayStatusSchema.safeParse(JSON.parse(readFileSync(status, "utf8")))
        : undefined;
      if (report?.success && report.data.config === text) {
        const hint = "end what listens there, or publish another port";
        return new Map(
          report.data.failures.map(({ node, message }) => [node, new YardError("node.port-taken", message, { hint })]),
        );
      }
      limit.throwIfAborted();
      await changed;
    } finally {
      watcher.close();
      limit.removeEventListener("abort", aborted);
      changed.catch(() => {});
    }
  }
}
