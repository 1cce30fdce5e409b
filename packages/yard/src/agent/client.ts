import { statSync } from "node:fs";
import { unlessAborted } from "@switchyard/base";
import type { Rows } from "../store/rows.ts";
import type { Outcome } from "../store/wait.ts";
import type { CaptureProgress, CaptureReply, CaptureRequest } from "./captures.ts";
import type { YardPaths } from "./paths.ts";
import type { DownReply, UpReply } from "./requests.ts";
import { type AgentConnection, connectSocket } from "./socket.ts";
import type { Work } from "./watchers.ts";

/** Milliseconds after which an agent that says nothing is done without. */
const ANSWER_LIMIT = 5_000;

/** How far the agent is with what is waited for. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

export { failureErrors } from "../store/failures.ts";
export type { CaptureProgress, CaptureReply, CaptureRequest } from "./captures.ts";
export { subjectText } from "./subject.ts";
export type { Converged, Planned, Work } from "./watchers.ts";

export interface LabText {
  readonly text: string;
  readonly file: string;
  readonly shown: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** A running agent that is the same program as we are, so that both mean the same by what passes between them. */
export interface AgentClient extends AgentConnection {
  /** @param lab the text of a lab file, its absolute path, how errors name it, and what says which engine is meant */
  up(lab: LabText): Promise<UpReply>;
  /** Withdraws the labs that came from `file`, or all. */
  down(labs: { readonly file?: string }): Promise<DownReply>;
  settled(cfg: number, labs: readonly string[], onProgress: (progress: Progress) => void): Promise<Outcome>;
  rows(): Promise<Rows>;
  /** Resolves when the capture has ended; it does with the connection. */
  capture(request: CaptureRequest, onProgress: (progress: CaptureProgress) => void): Promise<CaptureReply>;
  /** @throws YardError `capture.bad-filter` */
  checkFilter(filter: string): Promise<void>;
  /** Tells each piece of the agent's work; ends with the connection. */
  watch(onWork: (work: Work) => void): Promise<void>;
  /** The ports that somebody looks at. */
  captured(): Promise<readonly string[]>;
  /** Ends a capture in good order. */
  stopCapture(id: number): Promise<void>;
}

/**
 * The yard's agent, if it runs and is of this very build. Another build's is no use for this: its database is what
 * versions have in common, and so it is where the agent hangs.
 *
 * @throws the signal's reason
 */
export async function connectAgent({ agentSocket }: YardPaths, signal?: AbortSignal): Promise<AgentClient | undefined> {
  const agent = await connectSocket(agentSocket);
  if (agent === undefined) return undefined;
  const limits = [AbortSignal.timeout(ANSWER_LIMIT), ...(signal === undefined ? [] : [signal])];
  const hello = await unlessAborted(agent.request("hello"), AbortSignal.any(limits)).catch(() => undefined);
  if (signal?.aborted) {
    await agent[Symbol.asyncDispose]();
    throw signal.reason;
  }
  if (typeof hello !== "object" || hello === null || !("build" in hello) || hello.build !== buildIdentity()) {
    await agent[Symbol.asyncDispose]();
    return undefined;
  }
  // The one place where a reply is taken at its word: the same build made it, from the type that it is read as.
  const ask = async <R, P = Progress>(method: string, params?: object, onProgress?: (progress: P) => void) =>
    (await agent.request(method, params, onProgress as ((progress: unknown) => void) | undefined)) as R;
  return Object.assign(agent, {
    up: (lab: LabText) => ask<UpReply>("up", lab),
    down: (labs: { readonly file?: string }) => ask<DownReply>("down", labs),
    settled: (cfg: number, labs: readonly string[], onProgress: (progress: Progress) => void) =>
      ask<Outcome>("settled", { cfg, labs }, onProgress),
    rows: () => ask<Rows>("rows"),
    capture: (request: CaptureRequest, onProgress: (progress: CaptureProgress) => void) =>
      ask<CaptureReply, CaptureProgress>("capture", request, onProgress),
    checkFilter: (filter: string) => ask<void>("capture-filter", { filter }),
    watch: (onWork: (work: Work) => void) => ask<void, Work>("watch", {}, onWork),
    captured: () => ask<readonly string[]>("captured"),
    stopCapture: (id: number) => ask<void>("capture-stop", { id }),
  });
}

/** What tells one build of the executable from another: the file that runs, and when it was written. */
export function buildIdentity(): string {
  const { dev, ino, mtimeMs } = statSync(process.execPath);
  return `${dev}:${ino}:${mtimeMs}`;
}
