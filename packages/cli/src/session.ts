import { shellWords, YardError } from "@switchyard/base";
import type { Command } from "commander";
import { type Style, styleFor } from "./render/style.ts";

/** Where a command reads and writes. */
export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Options that every verb has. */
export interface CommonOptions {
  readonly yard?: string;
  readonly system?: boolean;
  readonly json?: boolean;
}

/** One run of the executable: what a verb takes from the world, and what it tells it. */
export interface Session {
  readonly streams: Streams;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Aborts at the first SIGINT or SIGTERM, with the exit code that the signal asks for as its reason. */
  readonly signal: AbortSignal;
  /** Colours of standard output, and of standard error. */
  readonly style: Style;
  readonly errorStyle: Style;
  /** Set by a verb that has done its work but whose answer is no: a failed check, a command's own exit code. */
  exitCode: number;
}

/** The signals that ask for an orderly end. */
export type Interruption = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Why a session was cancelled. */
export class Interrupted extends Error {
  readonly signal: Interruption;
  /** 128 and the signal's number, as a shell reports it. */
  readonly exitCode: number;

  constructor(signal: Interruption) {
    super(`interrupted by ${signal}`);
    this.name = "Interrupted";
    this.signal = signal;
    this.exitCode = signal === "SIGINT" ? 130 : signal === "SIGHUP" ? 129 : 143;
  }
}

/** A session on these streams. */
export function createSession(streams: Streams, env: NodeJS.ProcessEnv, cwd: string, signal: AbortSignal): Session {
  return {
    streams,
    env,
    cwd,
    signal,
    style: styleFor(streams.stdout, env),
    errorStyle: styleFor(streams.stderr, env),
    exitCode: 0,
  };
}

/** Writes lines to standard output. */
export function print(session: Session, ...lines: readonly string[]): void {
  if (lines.length > 0) session.streams.stdout.write(`${lines.join("\n")}\n`);
}

/** Writes a line for people to standard error, where it does not mix with data. */
export function say(session: Session, line: string): void {
  session.streams.stderr.write(`${line}\n`);
}

/** Writes data as JSON, indented on a terminal. */
export function printJson(session: Session, value: unknown): void {
  print(session, JSON.stringify(value, null, session.streams.stdout.isTTY ? 2 : undefined));
}

/**
 * The yard that a command is about: `-y NAME` or `--system`, before or after the verb, else `SWITCHYARD_YARD`, else
 * `main`. Its grammar is checked where its paths are made.
 *
 * @throws YardError `yard.two-names`
 */
export function yardName(command: Command, env: NodeJS.ProcessEnv): string {
  const named = new Set<string>();
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const { yard, system } = at.opts<CommonOptions>();
    if (yard !== undefined) named.add(yard);
    if (system) named.add("system");
  }
  const [first, ...others] = named;
  if (others.length > 0)
    throw new YardError("yard.two-names", `the command names the yards ${[...named].join(" and ")}`, {
      hint: "give either -y NAME or --system, once",
    });
  return first ?? (env.SWITCHYARD_YARD || "main");
}

/** Whether we may change the kernel. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** What only root may do here, in a yard whose agent may do it for others. */
export class RootNeeded extends YardError {
  constructor(
    message: string,
    hint: string,
    readonly yard: string | undefined,
  ) {
    super("privilege.root-needed", message, { hint });
  }
}

/**
 * @param argv the command line as the hint has it; where it is about a yard it begins with `-y` and that
 * @throws RootNeeded `privilege.root-needed` that names the command to run
 */
export function needRoot(argv: readonly string[], why: string): void {
  if (isRoot()) return;
  const [option, yard] = argv;
  const hint = `run: sudo ${shellWords(["yard", ...argv])}`;
  throw new RootNeeded(`${why} needs root`, hint, option === "-y" ? yard : undefined);
}
