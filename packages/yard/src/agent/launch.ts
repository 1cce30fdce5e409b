import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { createInterface } from "node:readline";
import { backoff, childEnvironment, deadline, delay, YardError } from "@switchyard/base";
import { isRoot, lockHolder } from "@switchyard/linux";
import { makeFolder } from "./folders.ts";
import { runDirectory, yardPaths } from "./paths.ts";
import { type AgentConnection, connectSocket, errorFrom } from "./socket.ts";
import { requireSystemSwitch } from "./system-switch.ts";

/** How long an agent may take to start its switch and serve, in milliseconds; one that has ended is not waited for. */
const START_LIMIT = 60_000;

/** How to start an agent. */
export interface LaunchOptions {
  /** How to call ourselves: `[dist/yard]`, or the runtime and the main module. */
  readonly executable: readonly string[];
  readonly signal?: AbortSignal;
}

/** How many agents in a row may die under one command before it gives up. */
const LIVES = 3;

/**
 * A connection to the yard's agent, which is started when none runs, and again when it dies: its successor goes on
 * where it was. `died` resolves only when that does not help.
 *
 * @throws YardError `yard.not-root` when none runs and we may not start one; `agent.start-timeout`; and whatever the
 * starting agent said
 */
export async function ensureAgent(yard: string, options: LaunchOptions): Promise<AgentConnection> {
  let agent = await launch(yard, options);
  let closed = false;
  const { promise: died, resolve: giveUp } = Promise.withResolvers<void>();
  const { promise: stuck, resolve: stick } = Promise.withResolvers<YardError>();
  const keep = async () => {
    void agent.stuck.then(stick);
    for (let life = 1; life < LIVES; life++) {
      await agent.died;
      if (closed) return;
      agent = await launch(yard, options);
      void agent.stuck.then(stick);
    }
    await agent.died;
  };
  keep()
    .catch(() => {})
    .then(giveUp);
  return {
    died,
    stuck,
    request: (method, params, onProgress) => agent.request(method, params, onProgress),
    async [Symbol.asyncDispose]() {
      closed = true;
      await agent[Symbol.asyncDispose]();
    },
  };
}

/**
 * Connects to the agent, or starts one. Two callers at once get the same: the second one's child sees the lock held
 * and leaves.
 */
async function launch(yard: string, options: LaunchOptions): Promise<AgentConnection> {
  const paths = yardPaths(yard);
  const running = await connectSocket(paths.agentSocket);
  if (running) return running;
  if (!isRoot())
    throw new YardError("yard.not-root", `the yard "${yard}" is not running, and only root can start it`, {
      hint: `run the command with sudo, or start the agent: sudo yard -y ${yard} agent`,
    });
  await requireSystemSwitch(yard);
  using limit = deadline(
    START_LIMIT,
    "agent.start-timeout",
    `the agent of yard "${yard}" did not start within ${START_LIMIT / 1000} s`,
    options.signal,
  );
  makeFolder(runDirectory(), 0o755);
  makeFolder(paths.run, 0o750);
  try {
    for (const wait of backoff(50, 1_000)) {
      limit.throwIfAborted();
      await start(yard, paths.agentLog, options.executable, limit);
      const connection = await served(paths.agentSocket, wait, limit);
      if (connection) return connection;
    }
    throw limit.reason;
  } catch (error) {
    const holder = error === limit.reason ? lockHolder(paths.lock) : undefined;
    if (holder === undefined || !(error instanceof YardError)) throw error;
    throw new YardError(error.code, error.message, {
      hint: `process ${holder} is its agent but serves nobody: see ${paths.agentLog}, or end it: kill -9 ${holder}`,
    });
  }
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

/**
 * Waits until the socket is there and answers; the folder is watched. It gives up after `wait` milliseconds, because
 * the holder of the lock may also be one that is dying, and there is no event for a lock's end.
 */
async function served(path: string, wait: number, signal: AbortSignal): Promise<AgentConnection | undefined> {
  const { promise: changed, resolve } = Promise.withResolvers<void>();
  const watcher = watch(dirname(path), (_event, file) => {
    if (file === basename(path) && existsSync(path)) resolve();
  });
  try {
    const connection = await connectSocket(path);
    if (connection) return connection;
    await Promise.race([changed, delay(wait, signal)]);
    return await connectSocket(path);
  } finally {
    watcher.close();
  }
}
