/** A program and what it runs in. */
export interface Program {
  readonly argv: readonly [string, ...string[]];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ends it; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called instead of a SIGKILL to the program when the signal aborts. */
  readonly abort?: (pid: number) => void;
}
