import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { backoff, deadline, delay, unlessAborted, YardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { isRoot, lockFile, lockHolder } from "@switchyard/linux";
import { removeOwned } from "@switchyard/vswitch";
import { rowsOf } from "../store/rows.ts";
import { openStore } from "../store/store.ts";
import { dismantle } from "./dismantle.ts";
import {
  isYardName,
  runDirectory,
  SYSTEM_SWITCH,
  SYSTEM_YARD,
  stateDirectory,
  type YardPaths,
  yardPaths,
} from "./paths.ts";
import { type AgentConnection, connectSocket } from "./socket.ts";
import { systemSwitchAbsence } from "./system-switch.ts";

/** Milliseconds that an agent may take to answer at all; it may be busy with a thousand nodes. */
const ANSWER_LIMIT = 15_000;

/** How long a dying agent may hold its lock, in milliseconds. */
const LOCK_LIMIT = 10_000;

/** A yard of this host. */
export interface YardSummary {
  readonly name: string;
  /** Whether its agent runs. */
  readonly running: boolean;
  readonly agentPid: number | undefined;
  readonly datapath: string | undefined;
  readonly labs: number;
  readonly nodes: number;
}

/** The yards of this host, whether they run or wait to be started. */
export async function listYards(): Promise<YardSummary[]> {
  const names = new Set([...folders(runDirectory()), ...folders(join(stateDirectory(), "yards"))]);
  return await Promise.all([...names].sort().map(summary));
}

async function summary(name: string): Promise<YardSummary> {
  const paths = yardPaths(name);
  await using agent = await connectSocket(paths.agentSocket);
  const base = { name, running: agent !== undefined, agentPid: undefined, datapath: undefined, labs: 0, nodes: 0 };
  if (!existsSync(paths.databaseSocket)) return base;
  try {
    await using store = await openStore({ remote: `unix:${paths.databaseSocket}`, timeout: 2_000 });
    const { hosts, labs, nodes } = rowsOf(store.db);
    return {
      ...base,
      agentPid: agent && hosts[0]?.agentPid,
      datapath: hosts[0]?.datapath,
      labs: labs.length,
      nodes: nodes.length,
    };
  } catch {
    // A socket that nobody serves is what a crash leaves behind.
    return base;
  }
}

/**
 * Takes a yard away, all of it, whether its agent runs or not.
 *
 * @param signal ends the wait: its agent goes on then
 * @returns false when there was none
 * @throws YardError `yard.not-root`, `yard.busy`, `agent.not-answering`; the signal's reason; `switch.system-absent` when all is gone but for what the host's switch,
 * which does not run, may have in its database
 */
export async function stopYard(name: string, signal?: AbortSignal): Promise<boolean> {
  const was = await stop(name, signal);
  if (name !== SYSTEM_YARD) return was;
  const absence = await systemSwitchAbsence();
  if (absence && !was) return false;
  if (absence)
    throw new YardError(
      "switch.system-absent",
      "the yard is gone, but the host's Open vSwitch does not run and may keep its bridges and ports",
      { cause: absence, hint: "start it and run this again: sudo yard --system down --all" },
    );
  // What it kept from an earlier time.
  const removed = isRoot() ? await removeOwned(SYSTEM_SWITCH, SYSTEM_YARD) : undefined;
  return was || (removed ?? 0) > 0;
}

async function stop(name: string, signal: AbortSignal | undefined): Promise<boolean> {
  const paths = yardPaths(name);
  await using agent = await connectSocket(paths.agentSocket);
  if (agent) {
    await isAnswering(name, agent, signal);
    const demolished = agent.request("demolish").then(() => agent.died);
    // One that dies under it leaves the rest to us.
    await unlessAborted(demolished, signal).catch((error) => {
      if (!(error instanceof YardError) || error.code !== "agent.died") throw error;
    });
  }
  if (![paths.run, paths.state].some((folder) => existsSync(folder))) return agent !== undefined;
  // It was dead, or died before it was done.
  if (!isRoot())
    throw new YardError(
      "yard.not-root",
      `the agent of yard "${name}" does not run, and only root can clean up after it`,
      {
        hint: `run it with sudo: sudo yard -y ${name} down --all`,
      },
    );
  using _lock = await takeLock(paths);
  await dismantle(paths, createLogger("yard", "warn"));
  return true;
}

async function isAnswering(yard: string, agent: AgentConnection, signal: AbortSignal | undefined): Promise<void> {
  using limit = deadline(ANSWER_LIMIT, "agent.not-answering", `the agent of yard "${yard}" does not answer`, signal);
  try {
    await unlessAborted(agent.request("hello"), limit);
  } catch (error) {
    if (!(error instanceof YardError)) throw error;
    if (error.code === "agent.died") return;
    const hint = "end its process, which `yard yards` tells, by kill -9, and run this again";
    throw error.code === "agent.not-answering" ? new YardError(error.code, error.message, { hint }) : error;
  }
}

/** The lock of a yard whose agent is dead or dying: the kernel lets go of it once the process is wholly gone. */
async function takeLock({ yard, lock }: YardPaths): Promise<Disposable> {
  const until = performance.now() + LOCK_LIMIT;
  // flock(2) has no event for us: it would block the thread.
  for (const wait of backoff(10, 500)) {
    const held = lockFile(lock);
    if (held) return held;
    if (performance.now() > until) break;
    await delay(wait);
  }
  const holder = lockHolder(lock);
  throw new YardError("yard.busy", `another command is starting or ending the yard "${yard}"`, {
    hint:
      holder === undefined
        ? "run this again"
        : `process ${holder} has its lock; if that is an agent that nothing reaches any more, end it: kill -9 ${holder}`,
  });
}

function folders(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() && isYardName(entry.name) ? [entry.name] : [],
  );
}
