import { randomUUID } from "node:crypto";
import { asYardError, delay, type Logger, YardError } from "@switchyard/base";
import {
  type Answer,
  type Call,
  commandSchema,
  EXIT_CODE,
  errorText,
  type Handler,
  httpCode,
  type JobCommand,
  type JobResult,
  type JobState,
  LEVEL,
  parsed,
} from "./job.ts";
import type { Lists } from "./lists.ts";

/** Milliseconds that a result, and what a job has written, can be read. */
const LIFE = { result: 300_000, stream: 60_000 };
/** How many messages of a job are kept for whoever follows it. */
const STREAM = 1_000;
/** How many jobs may run or wait, and how many bytes results may take, before no more are taken. */
const MOST = { jobs: 1_000, bytes: 256 << 20 };
/** The end of each stream of a process that its result holds, in characters. */
const KEPT = 1 << 20;
/** Milliseconds that jobs may take to end when the server does. */
const PATIENCE = 5_000;
/** Marks the last message of a stream. */
const END = { success: 0x2, error: 0x4 };

/** Errors that have a state of their own. */
const STATES: ReadonlyMap<string, JobState> = new Map([
  ["zeroos.duplicate-id", "DUPILICATE_ID"],
  ["ovs.unknown-command", "UNKNOWN_CMD"],
]);

/** Where a job runs: what commands there are, and for which container. */
export interface JobPlace {
  readonly container: number;
  /** @returns undefined: there is no such command */
  handler(name: string): Handler | undefined;
}

/** A job that runs or waits for its turn. */
export interface RunningJob {
  readonly id: string;
  readonly command: JobCommand;
  /** Milliseconds since 1970. */
  readonly started: number;
  readonly kill: () => void;
}

/** Runs jobs, and keeps their results for a while. */
export class Jobs implements AsyncDisposable {
  readonly #lists: Lists;
  readonly #log: Logger;
  readonly #running = new Map<string, RunningJob & { readonly done: Promise<void> }>();
  readonly #queues = new Map<string, Promise<void>>();

  constructor(lists: Lists, log: Logger) {
    this.#lists = lists;
    this.#log = log;
  }

  /**
   * Takes a job as JSON. One whose id is known is dropped: its first result stands.
   *
   * @throws YardError `zeroos.bad-job`, `zeroos.busy`
   */
  submit(text: string, place: JobPlace): void {
    let command: JobCommand;
    try {
      command = parsed(commandSchema, JSON.parse(text));
    } catch (cause) {
      throw new YardError("zeroos.bad-job", `that is no job: ${asYardError(cause).message}`, { cause });
    }
    if (command.id === undefined) throw new YardError("zeroos.bad-job", "the job has no id");
    if (this.knows(command.id)) {
      this.#log.info({ id: command.id }, "a job whose id is known is dropped");
      return;
    }
    this.start(command, place);
  }

  /** Whether a job of that id runs, or its result can be read. */
  knows(id: string): boolean {
    return this.#lists.has(flagOf(id));
  }

  list(): readonly RunningJob[] {
    return [...this.#running.values()];
  }

  get(id: string): RunningJob | undefined {
    return this.#running.get(id);
  }

  /**
   * Starts a job whose id is not known.
   *
   * @returns its id
   * @throws YardError `zeroos.busy`
   */
  start(command: JobCommand, place: JobPlace): string {
    if (this.#running.size >= MOST.jobs || this.#lists.bytes > MOST.bytes)
      throw new YardError("zeroos.busy", "too many jobs run, or too many results wait to be read", {
        hint: "wait for some to end; results are kept for five minutes",
      });
    const id = command.id ?? randomUUID();
    const stop = new AbortController();
    const queue = queueOf(command, place);
    const before = queue === undefined ? undefined : this.#queues.get(queue);
    this.#lists.push(flagOf(id), Buffer.from("running"));
    const started = Date.now();
    const done = this.#run(id, command, place, stop, before).finally(() => {
      this.#running.delete(id);
      if (queue !== undefined && this.#queues.get(queue) === done) this.#queues.delete(queue);
    });
    if (queue !== undefined) this.#queues.set(queue, done);
    this.#running.set(id, { id, command, started, kill: () => stop.abort("KILLED"), done });
    return id;
  }

  /** Resolves when the command itself has ended; its result may have been told before. */
  async #run(
    id: string,
    command: JobCommand,
    place: JobPlace,
    stop: AbortController,
    before: Promise<void> | undefined,
  ): Promise<void> {
    await before;
    const started = Date.now();
    const began = performance.now();
    const streams: [string, string] = ["", ""];
    let ended = false;
    const tell = (outcome: Pick<JobResult, "state" | "code" | "data" | "level">) => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      const success = outcome.state === "SUCCESS";
      if (command.stream) this.#message(id, 0, "", success ? END.success : END.error);
      const { tags } = command;
      const when = { starttime: started, time: Math.round(performance.now() - began) };
      const common = { id, command: command.command, streams, critical: "", tags, container: place.container };
      const result: JobResult = { ...common, ...outcome, ...when };
      this.#lists.push(resultOf(id), Buffer.from(JSON.stringify(result)), { life: LIFE.result });
      this.#lists.expire(flagOf(id), LIFE.result);
    };
    const limit = command.max_time ?? 0;
    const timer = limit > 0 ? setTimeout(() => stop.abort("TIMEOUT"), Math.min(limit * 1_000, 2 ** 31 - 1)) : undefined;
    // Whoever waits for it is told at once, though the command may still have to clear up.
    const aborted = () => {
      const timedOut = stop.signal.reason === "TIMEOUT";
      const why = timedOut ? `the job did not end within ${limit} s` : "the job was killed";
      const said = { data: JSON.stringify(why), level: LEVEL.json };
      tell(timedOut ? { state: "TIMEOUT", code: 408, ...said } : { state: "KILLED", code: 410, ...said });
    };
    stop.signal.addEventListener("abort", aborted, { once: true });
    if (stop.signal.aborted) return aborted();
    const handler = place.handler(command.command);
    if (handler === undefined) {
      const why = `there is no command ${command.command}`;
      return tell({ state: "UNKNOWN_CMD", code: 404, data: JSON.stringify(why), level: LEVEL.json });
    }
    const call: Call = {
      id,
      arguments: command.arguments,
      tags: command.tags,
      signal: stop.signal,
      line: (level, text) => {
        const at = level === LEVEL.stderr ? 1 : 0;
        streams[at] = `${streams[at]}${text}\n`.slice(-KEPT);
        if (command.stream && !ended) this.#message(id, level, text, 0);
      },
    };
    try {
      tell(outcomeOf(await handler(call)));
    } catch (thrown) {
      // It was told why already.
      if (stop.signal.aborted) return;
      const error = asYardError(thrown);
      if (error.code === "internal.unexpected")
        this.#log.error({ err: thrown, command: command.command }, "a job failed");
      const state = STATES.get(error.code) ?? "ERROR";
      // A plugin is a process, whose exit code is 1.
      const plugin = command.command.startsWith("ovs.") && state === "ERROR";
      const code = plugin ? EXIT_CODE + 1 : httpCode(error);
      tell({ state, code, data: JSON.stringify(errorText(error)), level: LEVEL.json });
    }
  }

  #message(id: string, level: number, text: string, flags: number): void {
    const message = { message: text, epoch: Date.now(), meta: (level << 16) | flags };
    const item = Buffer.from(JSON.stringify({ core: 0, command: id, message }));
    this.#lists.push(`stream:${id}`, item, { most: STREAM, life: LIFE.stream });
  }

  /** Ends all jobs; one that does not listen is not waited for long. */
  async [Symbol.asyncDispose](): Promise<void> {
    const jobs = [...this.#running.values()];
    for (const { kill } of jobs) kill();
    const stop = new AbortController();
    const late = delay(PATIENCE, stop.signal).catch(() => {});
    await Promise.race([Promise.all(jobs.map(({ done }) => done)), late]);
    stop.abort();
  }
}

function outcomeOf(answer: Answer): Pick<JobResult, "state" | "code" | "data" | "level"> {
  if ("data" in answer)
    return { state: "SUCCESS", code: 200, data: JSON.stringify(answer.data ?? null), level: LEVEL.json };
  const { exitCode } = answer;
  return { state: exitCode === 0 ? "SUCCESS" : "ERROR", code: EXIT_CODE + exitCode, data: "", level: 0 };
}

/** The queue that a command waits in: one at a time. Those of Open vSwitch have theirs whatever the caller says. */
function queueOf({ command, queue }: JobCommand, { container }: JobPlace): string | undefined {
  const name = command.startsWith("ovs.") ? "ovs" : queue;
  return name ? `${container} ${name}` : undefined;
}

function resultOf(id: string): string {
  return `result:${id}`;
}

function flagOf(id: string): string {
  return `${resultOf(id)}:flag`;
}
