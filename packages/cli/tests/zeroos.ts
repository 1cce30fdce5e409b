/** A yard that is served to clients of zero-os, and Python programs that are such clients. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type CommandResult, childEnvironment, tryRun } from "@switchyard/base";
import type { Site } from "./yard.ts";

const PYTHON = "/usr/bin/python3";
const programs = new URL("./python", import.meta.url).pathname;

export interface ServedYard extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** Runs a function of a program in tests/python, for this yard. */
  python(program: string, name: string, ...args: readonly string[]): Promise<CommandResult>;
  /** As {@link python}, and fails as it does. @returns what it printed */
  passes(program: string, name: string, ...args: readonly string[]): Promise<string>;
}

/** Serves a yard on a port of its own until it is disposed of. */
export async function serveYard(
  site: Site,
  yard: string,
  options: readonly string[] = ["--root", "*=busybox"],
  env: Readonly<Record<string, string>> = {},
): Promise<ServedYard> {
  const [program = "", ...args] = site.argv(yard, ["serve", "--zeroos", "127.0.0.1:0", ...options]);
  const child = spawn(program, args, {
    cwd: site.folder,
    env: { ...site.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString("utf8");
  });
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve(Number(/:(\d+)$/.exec(line)?.[1])));
    child.once("close", (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
  const python: ServedYard["python"] = (file, name, ...more) =>
    tryRun([PYTHON, `${programs}/${file}.py`, name, ...more], {
      env: { ...childEnvironment(), ZEROOS_PORT: String(port), PYTHONDONTWRITEBYTECODE: "1", SECRET: "not a word" },
      timeout: 60_000,
    });
  return {
    port,
    pid: child.pid ?? 0,
    python,
    async passes(file, name, ...more) {
      const { code, stdout, stderr } = await python(file, name, ...more);
      if (code !== 0) throw new Error(`${name} failed:\n${stderr}\nthe server said:\n${said}`);
      return stdout;
    },
    [Symbol.asyncDispose]: () => ended(child),
  };
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("close", () => resolve());
    child.kill("SIGTERM");
  });
}
