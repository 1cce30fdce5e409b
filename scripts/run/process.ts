import { spawn } from "node:child_process";
import { childEnvironment } from "@switchyard/base";

/** How a command ended that was given a limited time. */
export interface Ended {
  /** The exit code; 124 when its time was over, as timeout(1) has it. */
  readonly code: number;
  /** Both outputs in the order they came. */
  readonly output: string;
  readonly seconds: number;
}

/**
 * Runs a command in a process group of its own, which is killed whole when its time is over.
 *
 * @param limit seconds
 */
export function runLimited(
  argv: readonly [string, ...string[]],
  options: { readonly cwd: string; readonly limit: number; readonly env?: Readonly<Record<string, string>> },
): Promise<Ended> {
  const began = performance.now();
  const [program, ...args] = argv;
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...childEnvironment(), ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      killGroup(child.pid);
    }, options.limit * 1000);
    let flushing: ReturnType<typeof setTimeout> | undefined;
    const finish = (code: number | null) => {
      clearTimeout(timer);
      clearTimeout(flushing);
      const output = Buffer.concat(chunks).toString("utf8");
      const seconds = (performance.now() - began) / 1000;
      resolve({ code: late ? 124 : (code ?? 1), output, seconds });
    };
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.once("error", reject);
    child.once("close", finish);
    // A daemon that it left behind may hold its outputs open for ever: once it has ended, they have a second.
    child.once("exit", (code) => {
      flushing = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        finish(code);
      }, 1_000);
    });
    process.once("exit", () => killGroup(child.exitCode === null && child.signalCode === null ? child.pid : undefined));
  });
}

function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
