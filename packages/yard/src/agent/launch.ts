import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { createInterface } from "node:readline";
import { childEnvironment, deadline, YardError } from "@switchyard/base";
import { isRoot } from "@switchyard/linux";
import { runDirectory, yardPaths } from "./paths.ts";
import { type AgentConnection, connectSocket, errorFrom } from "./socket.ts";

/** How long an agent may take to start its switch and serve, in milliseconds. */
const START_LIMIT = 20_000;

/**
 * A connection to the yard's agent, which is started when none runs. Two callers at once get the same agent: the
 * second one's child sees the lock held and leaves.
 *
 * @param executable how to call ourselves: `[dist/yard]`, or the runtime and the main module
 * @throws YardError `yard.not-root` when none runs and we may not start one; `agent.start-timeout`; and whatever the
 * starting agent said
 */
export async function ensureAgent(
  yard: string,
  options: { readonly executable: readonly string[]; readonly signal?: AbortSignal },
): Promise<AgentConnection> {
  const paths = yardPaths(yard);
  const running = await connectSocket(paths.agentSocket);
  if (running) return running;
  if (!isRoot())
    throw new YardError("yard.not-root", `the yard "${yard}" is not running, and only root can start it`, {
      hint: `run the command with sudo, or start the agent: sudo yard -y ${yard} agent`,
    });
  using limit = deadline(
    START_LIMIT,
    "agent.start-timeout",
    `the agent of yard "${yard}" did not start within ${START_LIMIT / 1000} s`,
    options.signal,
  );
  mkdirSync(runDirectory(), { recursive: true, mode: 0o755 });
  mkdirSync(paths.run, { recursive: true, mode: 0o750 });
  await start(yard, paths.agentLog, options.executable, limit);
  return await served(paths.agentSocket, limit);
}

/** Spawns the agent in a session of its own and waits for its first line: that it serves, or why it cannot. */
async function start(yard: string, logFile: string, executable: readonly string[], signal: AbortSignal): Promise<void> {
  const log = openSync(logFile, "a", 0o640);
  const [program = "yard", ...args] = executable;
  const child = spawn(program, [...args, "--yard", yard, "agent", "--announce"], {
    detached: true,
    stdio: ["ignore", "pipe", log],
    env: childEnvironment(),
    cwd: "/",
  });
  closeSync(log);
  const { stdout } = child;
  if (stdout === null) throw new YardError("agent.not-started", `${program} could not be started`);
  try {
    const line = await new Promise<string>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      child.once("error", (cause) =>
        reject(new YardError("agent.not-started", `${program} could not be started: ${cause.message}`, { cause })),
      );
      createInterface({ input: stdout }).once("line", resolve);
      child.once("close", (code) =>
        reject(
          new YardError("agent.not-started", `the agent of yard "${yard}" ended with code ${code} as it started`, {
            hint: `its log is ${logFile}`,
          }),
        ),
      );
    });
    const said: unknown = JSON.parse(line);
    // Another command was quicker: its agent holds the lock, and we wait for that one's socket.
    if (typeof said === "object" && said !== null && "error" in said) {
      const error = errorFrom(said.error);
      if (error.code !== "agent.already-running") throw error;
    }
  } finally {
    stdout.destroy();
    child.unref();
  }
}

/** Waits until the socket is there and answers; the folder is watched, not polled. */
async function served(path: string, signal: AbortSignal): Promise<AgentConnection> {
  for (;;) {
    const { promise: appeared, resolve, reject } = Promise.withResolvers<void>();
    const watcher = watch(dirname(path), (_event, file) => {
      if (file === basename(path) && existsSync(path)) resolve();
    });
    const aborted = () => reject(signal.reason);
    signal.addEventListener("abort", aborted, { once: true });
    try {
      const connection = await connectSocket(path);
      if (connection) return connection;
      signal.throwIfAborted();
      await appeared;
    } finally {
      watcher.close();
      signal.removeEventListener("abort", aborted);
      appeared.catch(() => {});
    }
  }
}
