import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment } from "@switchyard/base";
import { temporaryFolder, YARD_COMMAND } from "@switchyard/testing";

/** How a command ended, and what it printed. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a command. */
export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Told of the process once it runs, to send it signals. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** A host's worth of yards for one test: runtime and state folders of its own, and a folder to stand in. */
export interface Site extends AsyncDisposable {
  /** Where commands run, and lab files lie. */
  readonly folder: string;
  /** Runs `yard …`, by default in the yard of that name. */
  yard(name: string, argv: readonly string[], options?: RunOptions): Promise<Result>;
  /** What such a command says that has to succeed. */
  said(name: string, argv: readonly string[]): Promise<string>;
  /** Starts `yard capture …`; frames come to it from when this resolves. */
  capturing(name: string, argv: readonly string[]): Promise<Capturing>;
  /** That command's argument vector and environment, for who starts it otherwise. */
  argv(name: string, argv: readonly string[]): readonly string[];
  readonly env: Readonly<Record<string, string>>;
  write(name: string, text: string): string;
}

/** A capture under way. */
export interface Capturing {
  readonly child: ChildProcess;
  readonly done: Promise<Result>;
}

/** No name is used twice, so that what is left behind can be told from what others make. */
let count = 0;
export function yardName(): string {
  return `tcli${process.pid}-${count++}`;
}

export async function createSite(): Promise<Site> {
  const folder = await temporaryFolder("tcli-");
  const names = new Set<string>();
  const work = join(folder.path, "work");
  mkdirSync(work);
  const base = {
    ...childEnvironment(),
    SWITCHYARD_RUN_DIR: join(folder.path, "run"),
    SWITCHYARD_STATE_DIR: join(folder.path, "state"),
  };
  const run = (argv: readonly string[], options: RunOptions = {}) =>
    execute(argv, work, { ...base, ...options.env }, options);
  const yard = (name: string, argv: readonly string[], options?: RunOptions) => {
    names.add(name);
    return run(["-y", name, ...argv], options);
  };
  return {
    folder: work,
    yard,
    async said(name, argv) {
      const { code, stdout, stderr } = await yard(name, argv);
      if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}: ${stdout}${stderr}`);
      return stdout;
    },
    async capturing(name, argv) {
      const listening = Promise.withResolvers<ChildProcess>();
      const done = yard(name, ["capture", ...argv], {
        onStart: (child) => {
          child.stderr?.on(
            "data",
            (text) => /^capturing |^{"capturing"/m.test(String(text)) && listening.resolve(child),
          );
        },
      });
      void done.then(({ stderr }) => listening.reject(new Error(stderr)));
      return { child: await listening.promise, done };
    },
    env: base,
    argv(name, argv) {
      names.add(name);
      return [...YARD_COMMAND, "-y", name, ...argv];
    },
    write(name, text) {
      const file = join(work, name);
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(file, text);
      return file;
    },
    async [Symbol.asyncDispose]() {
      for (const name of names) {
        const { code, stderr } = await run(["-y", name, "down", "--all"]);
        if (code !== 0) throw new Error(`yard ${name} could not be taken down: ${stderr}`);
      }
      await folder[Symbol.asyncDispose]();
    },
  };
}

function execute(
  argv: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
  { input, onStart }: RunOptions,
): Promise<Result> {
  const [program, ...args] = YARD_COMMAND;
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, ...argv], { cwd, env, stdio: ["pipe", "pipe", "pipe"], timeout: 60_000 });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString("utf8");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString("utf8");
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? (signal === null ? -1 : 1_000), stdout, stderr }));
    onStart?.(child);
  });
}
