import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { backoff, delay, type Logger } from "@switchyard/base";
import type { ContainerEvent } from "../types.ts";
import type { PodmanCommand } from "./command.ts";

/** Milliseconds between attempts to start `podman events` again: the first, and the most. */
const RETRY = [500, 15_000] as const;

/** Follows podman's events of containers with these labels. */
export async function followPodmanEvents(
  podman: PodmanCommand,
  labels: Readonly<Record<string, string>>,
  listener: (event: ContainerEvent) => void,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const filters = ["type=container", ...Object.entries(labels).map(([name, value]) => `label=${name}=${value}`)];
  // Before the first event it is from when we began to listen that nothing may be missed.
  let since = new Date().toISOString();
  const seen = new Set<string>();
  for (const wait of backoff(...RETRY)) {
    if (signal.aborted) return;
    const args = ["events", "--format", "json", "--since", since, ...filters.flatMap((each) => ["--filter", each])];
    // It would wait for events for ever after whoever listens was killed.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...podman.argv(...args)], {
      env: { ...podman.env },
      stdio: ["ignore", "pipe", "ignore"],
    });
    child.on("error", (error) => log.warn({ err: error }, "podman events cannot be run"));
    const stop = () => child.kill("SIGKILL");
    signal.addEventListener("abort", stop, { once: true });
    const closed = once(child, "close").catch(() => undefined);
    for await (const line of createInterface({ input: child.stdout })) {
      // After a restart podman tells those of the last moment again.
      if (signal.aborted || seen.has(line)) continue;
      const parsed = parsePodmanEvent(line);
      if (parsed === undefined) continue;
      if (parsed.time !== since) seen.clear();
      since = parsed.time;
      seen.add(line);
      listener(parsed.event);
    }
    await closed;
    signal.removeEventListener("abort", stop);
    if (!signal.aborted) await delay(wait, signal).catch(() => undefined);
  }
}

/** One line of `podman events --format json`. */
export function parsePodmanEvent(line: string): { event: ContainerEvent; time: string } | undefined {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null || !("Name" in value && "Status" in value && "Time" in value))
    return undefined;
  const { Name: name, Status, Time: time } = value;
  if (typeof name !== "string" || typeof time !== "string") return undefined;
  switch (Status) {
    case "start":
      return { event: { name, what: "started" }, time };
    case "died": {
      // podman leaves a zero out.
      const code = "ContainerExitCode" in value ? Number(value.ContainerExitCode) : 0;
      return { event: { name, what: "exited", exitCode: code }, time };
    }
    case "remove":
      return { event: { name, what: "removed" }, time };
    default:
      return undefined;
  }
}
