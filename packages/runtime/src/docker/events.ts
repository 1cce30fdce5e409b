import { backoff, delay, type Logger } from "@switchyard/base";
import type Docker from "dockerode";
import type { ContainerEvent } from "../types.ts";

/** Milliseconds between attempts to reach an engine that is away: the first, and the most. */
const RETRY = [250, 10_000] as const;

/**
 * Follows an engine's events of containers with these labels from now on, over its restarts; what happened while it
 * could not be reached, and before it was, is told then.
 */
export async function followDockerEvents(
  docker: Docker,
  labels: Readonly<Record<string, string>>,
  listener: (event: ContainerEvent) => void,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  let since = (Date.now() / 1_000).toFixed(3);
  let waits = backoff(...RETRY);
  while (!signal.aborted) {
    try {
      const options: Docker.GetEventsOptions = {
        filters: {
          type: ["container"],
          event: ["start", "die", "destroy"],
          label: Object.entries(labels).map(([name, value]) => `${name}=${value}`),
        },
        abortSignal: signal,
      };
      // The library's types know whole seconds only; the API takes a fraction.
      const stream = await docker.getEvents(Object.assign(options, { since }));
      waits = backoff(...RETRY);
      for await (const line of lines(stream, signal)) {
        const event = parseDockerEvent(line);
        if (event === undefined) continue;
        since = event.after;
        listener(event.event);
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, "docker events interrupted");
    }
    if (!signal.aborted) await delay(waits.next().value, signal).catch(() => undefined);
  }
}

async function* lines(stream: NodeJS.ReadableStream, signal: AbortSignal): AsyncGenerator<string> {
  const stop = () => {
    if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy();
  };
  signal.addEventListener("abort", stop, { once: true });
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of stream) {
      rest += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
      const parts = rest.split("\n");
      rest = parts.pop() ?? "";
      yield* parts.filter((part) => part !== "");
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** @returns the event and the moment just after it, as the API's `since` wants it */
export function parseDockerEvent(line: string): { event: ContainerEvent; after: string } | undefined {
  const value = object(JSON.parse(line));
  const attributes = object(object(value.Actor).Attributes);
  const name = attributes.name;
  // In nanoseconds, beyond what a number holds exactly: taken from the text.
  const nanos = /"timeNano":(\d+)/.exec(line)?.[1];
  if (typeof name !== "string" || nanos === undefined) return undefined;
  const next = (BigInt(nanos) + 1n).toString().padStart(10, "0");
  const after = `${next.slice(0, -9)}.${next.slice(-9)}`;
  switch (value.Action) {
    case "start":
      return { event: { name, what: "started" }, after };
    case "die":
      return { event: { name, what: "exited", exitCode: Number(attributes.exitCode ?? 0) }, after };
    case "destroy":
      return { event: { name, what: "removed" }, after };
    default:
      return undefined;
  }
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
